"""Evidence finds a planted effect, finds none in noise, and doubts what is too good."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from training.bundle.checks import Leak
from training.calibration import CALIBRATIONS
from training.ensemble import ENSEMBLES
from training.evidence.evidence import (
    CONFIDENCE,
    Evidence,
    LeakUntilExplained,
    covered,
    gather,
    require_plausible,
)
from training.evidence.guards import require_out_of_sample
from training.evidence.plots import coverage
from training.evidence.walk import (
    Learner,
    Walk,
    mean_score,
    walk,
    walk_calibrated,
    walk_together,
)
from training.evidence.walk import tested as rows_of
from training.experts.class_prior import ClassPrior
from training.experts.logistic import Logistic
from training.experts.trees import Trees
from training.objective import OBJECTIVES, Forecasts
from training.objectives.trend import Trend
from training.samples.folds import WalkForward
from training.samples.samples import Samples, from_matrix

CUT = WalkForward(count=3)
TREND, BASELINES = Trend(), Trend.baselines
QUICK = Trees(rounds=40, min_child_weight=5)


Gather = Callable[..., Evidence]


@pytest.fixture(scope="module")
def planted(matrix: Callable[..., pa.Table], evidence_of: Gather) -> Evidence:
    return evidence_of(QUICK, from_matrix(matrix(effect=1.0)), CUT)


def test_a_planted_effect_beats_every_baseline_surely(planted: Evidence) -> None:
    for name in BASELINES:
        assert planted.beside[name]["log_loss"].high < 0
        assert planted.beside[name]["accuracy"].low > 0
    own = planted.scores["xgboost"]["log_loss"]
    assert own.low < own.value < own.high
    assert planted.n == planted.sessions * 6 and planted.folds == 3
    assert min(planted.null["log_loss"]) > own.value


def test_noise_beats_nothing(matrix: Callable[..., pa.Table], evidence_of: Gather) -> None:
    found = evidence_of(QUICK, from_matrix(matrix(effect=0.0, seed=4)), CUT)
    assert found.beside["class_prior"]["log_loss"].high > 0
    assert found.beside["class_prior"]["accuracy"].low < 0


def test_the_same_inputs_give_the_same_evidence(samples: Samples, evidence_of: Gather) -> None:
    assert evidence_of(QUICK, samples, CUT) == evidence_of(QUICK, samples, CUT)


def test_the_share_of_labels_that_rest_on_a_rule_is_told(
    planted: Evidence, samples: Samples
) -> None:
    assert planted.ambiguous == pytest.approx(0.2, abs=0.02)  # every fifth session's are
    assert samples.take(samples.ambiguous).ambiguous.all()


def test_evidence_survives_json(planted: Evidence) -> None:
    import orjson

    assert Evidence.parse(orjson.loads(orjson.dumps(planted.as_json()))) == planted


def test_the_class_prior_stands_beside_itself_only_once(
    samples: Samples, evidence_of: Gather
) -> None:
    found = evidence_of(ClassPrior(), samples, CUT)
    assert sorted(found.scores) == sorted(BASELINES)
    assert "class_prior" not in found.beside


def test_too_good_is_a_leak_until_explained(
    matrix: Callable[..., pa.Table], evidence_of: Gather
) -> None:
    found = evidence_of(QUICK, from_matrix(matrix(effect=6.0)), CUT)
    with pytest.raises(LeakUntilExplained, match="a leak until explained"):
        require_plausible(found, "")
    require_plausible(found, "the effect is planted")


def test_a_plausible_result_needs_no_reason(planted: Evidence) -> None:
    assert planted.scores["xgboost"]["accuracy"].value < 0.6
    require_plausible(planted, "")


def test_tuning_looks_at_the_mean_of_the_folds(samples: Samples) -> None:
    folds = [gather_one(samples, place) for place in range(CUT.count)]
    assert mean_score(Learner(ClassPrior(), TREND), samples, CUT) == pytest.approx(np.mean(folds))


def gather_one(samples: Samples, place: int) -> float:
    fold = CUT.split(samples)[place]
    counts = np.bincount(samples.truth[fold.train], minlength=3) + 1.0
    return float(-np.log(counts / counts.sum())[samples.truth[fold.test]].mean())


def test_all_forecasters_are_scored_on_the_same_rows(samples: Samples) -> None:
    folds = CUT.split(samples)
    walks = {e.name: walk(Learner(e, TREND), samples, folds) for e in (QUICK, Logistic())}
    said = [walked.forecasts for walked in walks.values()]
    walks["soft"] = walk_together(ENSEMBLES.get("soft")(), said, samples, folds)
    found = gather(walks, samples, folds)
    assert list(found) == ["xgboost", "logistic", "soft"]
    assert set(found["soft"].scores) == {*found, *BASELINES}
    assert len({(e.n, e.sessions, e.first, e.last) for e in found.values()}) == 1
    gain = found["soft"].beside["xgboost"]["brier"]
    other = found["xgboost"].beside["soft"]["brier"]
    assert gain.value == pytest.approx(-other.value)
    assert (gain.low, gain.high) == pytest.approx((-other.high, -other.low))


def test_an_ensemble_is_weighed_in_each_fold_by_the_folds_before(samples: Samples) -> None:
    folds = CUT.split(samples)
    experts = (QUICK, ClassPrior())
    said = [walk(Learner(e, TREND), samples, folds).forecasts for e in experts]
    weighted = ENSEMBLES.get("weighted")()
    before = walk_together(weighted, said, samples, folds).forecasts.values
    rows = np.concatenate([f.test for f in folds])
    assert before[: len(folds[0].test)] == pytest.approx(
        np.mean([s.values for s in said], axis=0)[: len(folds[0].test)]
    )
    # Other truths of the newest fold change no forecast at all.
    truth = samples.truth.copy()
    truth[folds[-1].test] = 2 - truth[folds[-1].test]
    after = walk_together(weighted, said, samples.with_truth(truth), folds)
    assert (after.forecasts.values == before).all() and len(rows) == len(before)


def test_too_few_sessions_have_no_interval_and_survive_json(samples: Samples) -> None:
    import orjson

    folds = CUT.split(samples)
    walks = {"logistic": walk(Learner(Logistic(), TREND), samples, folds)}
    found = gather(walks, samples, folds, overlap=80)["logistic"]
    assert found.sessions == 120
    value = found.scores["logistic"]["log_loss"]
    assert (value.low, value.high) == (-np.inf, np.inf)
    text = orjson.dumps(found.as_json())
    assert b"Infinity" not in text and Evidence.parse(orjson.loads(text)) == found


def test_overlapping_labels_rest_on_less(samples: Samples) -> None:
    folds = CUT.split(samples)
    walks = {"logistic": walk(Learner(Logistic(), TREND), samples, folds)}
    once, often = (gather(walks, samples, folds, overlap=n)["logistic"] for n in (1, 20))
    assert once.own["log_loss"].value == often.own["log_loss"].value
    assert once.scores["logistic"]["log_loss"] != often.scores["logistic"]["log_loss"]


def test_an_ensemble_of_in_fold_forecasts_is_refused(samples: Samples) -> None:
    folds, test = CUT.split(samples), samples.take(rows_of(CUT.split(samples)))
    honest = [walk(Learner(e, TREND), samples, folds).forecasts for e in (QUICK, Logistic())]
    require_out_of_sample(honest, test)
    stacking = ENSEMBLES.get("stacking")()
    # Planted: one member had learnt the very rows that it is asked about.
    planted = Learner(QUICK, TREND).answer(samples, test)
    with pytest.raises(Leak, match="forecasts that are to be combined are in-fold"):
        walk_together(stacking, [honest[1], planted], samples, folds)
    # And one that had learnt those of its own fold only.
    each = [Learner(QUICK, TREND).answer(samples.take(f.test), samples.take(f.test)) for f in folds]
    own = Forecasts(
        TREND,
        np.concatenate([one.values for one in each]),
        learnt=np.concatenate([one.learnt for one in each if one.learnt is not None]),
    )
    with pytest.raises(Leak, match="in-fold"):
        walk_together(stacking, [own, honest[0]], samples, folds)
    with pytest.raises(Leak, match="in-fold"):
        walk_calibrated(CALIBRATIONS.get("isotonic")(), Walk(own, {}), samples, folds)
    # Who does not say when they had learnt is not believed.
    silent = Forecasts(TREND, honest[0].values)
    with pytest.raises(Leak, match="expected forecasts that tell up to when"):
        walk_together(stacking, [honest[1], silent], samples, folds)


def test_in_fold_forecasts_would_have_been_preferred(samples: Samples) -> None:
    """Why the guard: who knows the rows by heart takes all the weight, and is no better."""
    folds, test = CUT.split(samples), samples.take(rows_of(CUT.split(samples)))
    deep = Trees(rounds=200, max_depth=8, min_child_weight=1, learning_rate=0.3)
    honest = walk(Learner(Logistic(), TREND), samples, folds).forecasts
    by_heart = Learner(deep, TREND).answer(samples, test)
    weights = ENSEMBLES.get("weighted")().fit(
        TREND, np.stack([honest.values, by_heart.values]), test.truth
    )["weights"]
    assert weights[1] > 0.95


def test_a_calibration_learns_from_the_folds_before_only(samples: Samples) -> None:
    folds = CUT.split(samples)
    walked = walk(Learner(QUICK, TREND), samples, folds)
    temperature = CALIBRATIONS.get("temperature")()
    before = walk_calibrated(temperature, walked, samples, folds).forecasts
    first = len(folds[0].test)
    assert (before.values[:first] == walked.forecasts.values[:first]).all()
    assert (before.values[first:] != walked.forecasts.values[first:]).any()
    truth = samples.truth.copy()
    truth[folds[-1].test] = 2 - truth[folds[-1].test]
    after = walk_calibrated(temperature, walked, samples.with_truth(truth), folds).forecasts
    assert (after.values == before.values).all()
    require_out_of_sample([before], samples.take(rows_of(folds)))


def test_what_members_had_learnt_their_ensemble_had(samples: Samples) -> None:
    folds = CUT.split(samples)
    said = [walk(Learner(e, TREND), samples, folds).forecasts for e in (QUICK, Logistic())]
    joined = walk_together(ENSEMBLES.get("weighted")(), said, samples, folds).forecasts
    test = samples.take(rows_of(folds))
    for fold, of in zip(folds, np.split(np.arange(len(test)), 3), strict=True):
        assert joined.learnt is not None
        newest = samples.settled_at[fold.train].max()
        # The ensemble looks at rows of the embargo, too: they had settled.
        assert (joined.learnt[of] >= newest).all()
        assert (joined.learnt[of] <= samples.as_of[fold.test].min()).all()
    require_out_of_sample([joined], test)


def test_the_surer_rows_are_right_more_often(planted: Evidence, samples: Samples) -> None:
    shares = [f"{tenth}0%" for tenth in range(1, 11)]
    assert list(planted.coverage) == shares
    hits = [planted.coverage[share]["accuracy"].value for share in shares]
    assert hits[0] > hits[4] > hits[-1] and hits[-1] == planted.own["accuracy"].value
    least = [planted.coverage[share][CONFIDENCE].value for share in shares]
    assert least == sorted(least, reverse=True)
    assert planted.coverage["100%"]["log_loss"] == planted.own["log_loss"]
    assert coverage(planted).startswith(b"\x89PNG")


def test_the_curve_of_coverage_is_that_of_the_rows_above_a_threshold(samples: Samples) -> None:
    folds = CUT.split(samples)
    said, test = walk(Learner(QUICK, TREND), samples, folds).forecasts, samples.take(rows_of(folds))
    curve = covered(said, test)
    for share in ("20%", "70%"):
        least = curve[share][CONFIDENCE].value
        chosen = said.values.max(axis=1) >= least
        assert chosen.mean() == pytest.approx(float(share[:-1]) / 100, abs=0.01)
        right = (said.values.argmax(axis=1) == test.truth)[chosen].mean()
        assert curve[share]["accuracy"].value == pytest.approx(right, abs=1e-9)


def test_answers_that_do_not_tell_how_sure_they_are_have_no_curve() -> None:
    volatility = OBJECTIVES.get("volatility")
    said = Forecasts(volatility, np.ones((5, 1)))
    assert covered(said, None) == {}  # type: ignore[arg-type]
