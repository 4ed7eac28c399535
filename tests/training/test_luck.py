"""What many trials find by luck is told from skill: published numbers, and noise."""

import json

import numpy as np
import pytest
from purgedcv import deflated_sharpe_ratio, probabilistic_sharpe_ratio

from training.evidence.evidence import answers_of
from training.evidence.luck import Luck, Trials, judge, ratio_of, session_losses, sharpe
from training.evidence.walk import Learner, walk
from training.evidence.walk import tested as rows_of
from training.experts.logistic import Logistic
from training.forecast import Floats
from training.objective import OBJECTIVES
from training.samples.folds import WalkForward
from training.samples.samples import Samples

TREND = OBJECTIVES.get("trend")


def published(n: int = 1250) -> Floats:
    """Gains of Sharpe ratio 2.5 a year of 250 days, skew -3 and kurtosis 10: two values have it."""
    high = round(0.91603 * n)
    gains = np.repeat([0.0, -1.0], [high, n - high])
    return (gains - gains.mean()) / gains.std() + 2.5 / np.sqrt(250)


def noise(models: int, n: int = 300, seed: int = 0, gain: float = 0.0) -> dict[str, Floats]:
    """Losses of champion zero and of models that say the same but for noise; the first gains."""
    random = np.random.default_rng(seed)
    zero = random.normal(size=n)
    own = random.normal(size=(models, n))
    own[0] += gain
    return {"zero": zero, **{f"m{i}": zero - each for i, each in enumerate(own)}}


def overlapping(n: int, span: int, seed: int) -> Floats:
    steps = np.random.default_rng(seed).normal(size=n + span - 1)
    return np.convolve(steps, np.ones(span), "valid")


def test_the_published_example_has_its_numbers() -> None:
    """Bailey and Lopez de Prado (2014): SR0 = 0.1132 and DSR = 0.9004 after 100 trials."""
    gains = published()
    half = np.sqrt(0.5 / 250 / 2)  # two Sharpe ratios whose variance is 1/2 a year
    losses = {"zero": gains, "found": np.zeros(len(gains))}
    luck = judge(losses, "zero", ["found"], Trials(100, [half, -half]))["found"]
    assert luck.sharpe == pytest.approx(0.1581, abs=1e-4)
    assert luck.expected == pytest.approx(0.1132, abs=1e-4)
    assert luck.deflated == pytest.approx(0.9004, abs=5e-4)
    assert luck.deflated == pytest.approx(deflated_sharpe_ratio(gains, 100, 0.5 / 250), abs=1e-3)


@pytest.mark.parametrize("above", [0.0, 0.05])
def test_without_overlap_it_is_the_probabilistic_ratio(above: float) -> None:
    gains = 0.1 + np.random.default_rng(0).gamma(2, size=400) - 2
    wanted = probabilistic_sharpe_ratio(gains, above)
    assert ratio_of(gains).above(above) == pytest.approx(wanted, abs=2e-3)


@pytest.mark.parametrize(("span", "plain"), [(1, 0.08), (5, 0.5), (20, 0.5)])
def test_luck_is_not_sure_of_itself_where_labels_overlap(span: int, plain: float) -> None:
    made = [overlapping(330, span, seed) for seed in range(400)]
    sure = np.mean([ratio_of(gains, span).above(0.0) > 0.95 for gains in made])
    naive = np.mean([probabilistic_sharpe_ratio(gains, 0.0) > 0.95 for gains in made])
    assert sure < 0.105, "5 % are to be; 400 draws have a deviation of 1.1 points"
    if span > 1:
        assert 0.17 < naive < plain, "what the overlap does to who looks away"


def test_a_planted_gain_is_found_among_many_trials() -> None:
    found = judge(noise(4, gain=0.3), "zero", [f"m{i}" for i in range(4)], Trials(50))
    one, other = found["m0"], found["m1"]
    assert one.deflated > 0.95 > other.deflated and one.trials == 50
    assert one.better == ["m0"] == one.among_best and one.spa < 0.01
    assert one.overfitting is not None and one.overfitting < 0.05
    assert Luck(**json.loads(json.dumps(one.as_json()))) == one


@pytest.mark.slow
def test_the_best_of_many_without_skill_is_luck() -> None:
    deflated, probable, better, spa = [], [], 0, []
    for seed in range(40):
        losses = noise(20, n=200, seed=seed)
        names = [name for name in losses if name != "zero"]
        best = max(names, key=lambda name: sharpe(losses["zero"] - losses[name]))
        found = judge(losses, "zero", names, Trials())[best]
        deflated.append(found.deflated > 0.95)
        probable.append(found.probabilistic > 0.95)
        better += bool(found.better)
        spa.append(found.spa)
    assert np.mean(deflated) <= 0.05 and np.mean(probable) > 0.4
    assert better <= 6 and np.mean(spa) > 0.3  # 5 % of forty are two


@pytest.mark.slow
def test_selection_among_noise_is_overfitting() -> None:
    found = [
        judge(noise(8, seed=s), "zero", [f"m{i}" for i in range(8)], Trials())["m0"]
        for s in range(12)
    ]
    assert 0.3 < np.mean([each.overfitting for each in found]) < 0.7


def test_who_gains_nothing_and_who_repeats_another_are_no_obstacle() -> None:
    losses = noise(2, gain=0.3)
    losses |= {"twin": losses["m0"], "same": losses["zero"]}
    found = judge(losses, "zero", ["m0", "twin", "same"], Trials(3))
    assert set(found) == {"m0", "twin"} and found["m0"].among_best == ["m0"]
    assert judge(losses, "zero", ["same"], Trials(3)) == {}
    short = {name: each[:30] for name, each in losses.items()}
    assert judge(short, "zero", ["m0"], Trials(3)) == {}


def test_losses_are_means_of_the_rows_that_count(samples: Samples) -> None:
    folds = WalkForward(count=3).split(samples)
    test = samples.take(rows_of(folds))
    said = {"logistic": walk(Learner(Logistic(), TREND), samples, folds).forecasts}
    said |= answers_of(TREND, samples, folds)
    losses = session_losses(said, test)
    each = TREND.judged[0].of(said["logistic"], test.truth)
    day = np.unique(test.sessions)[3]
    wanted = np.nanmean(each[test.sessions == day])
    counted = [d for d in np.unique(test.sessions) if np.isfinite(each[test.sessions == d]).any()]
    assert losses["logistic"][counted.index(day)] == pytest.approx(wanted)
    found = judge(losses, TREND.zero, ["logistic"], Trials(7))["logistic"]
    assert found.deflated > 0.9 and found.better == ["logistic"]  # `mood` is planted


LOUD, QUIET = (3.0, 6.0), (0.12, 0.2)  # a gain, and the deviation of its noise


@pytest.mark.parametrize("gains", [(LOUD,), (QUIET, QUIET), (LOUD, QUIET), (LOUD, QUIET, (0, 1))])
def test_all_may_be_better_at_once_or_step_by_step(gains: tuple[tuple[float, float], ...]) -> None:
    random = np.random.default_rng(3)
    losses = {"zero": random.normal(size=400)}
    for place, (gain, noise) in enumerate(gains):
        losses[f"m{place}"] = losses["zero"] - gain + noise * random.normal(size=400)
    found = judge(losses, "zero", [f"m{place}" for place in range(len(gains))], Trials())
    # Beside the noise of a loud one a quiet one is seen in a later step only.
    sure = [f"m{place}" for place, (gain, _) in enumerate(gains) if gain]
    assert found and all(list(each.better) == sure for each in found.values())
