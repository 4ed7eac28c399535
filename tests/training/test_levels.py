"""Levels: a law beside independent answers, and markets of which the barriers are planted."""

from collections.abc import Mapping
from dataclasses import replace
from math import exp, sqrt

import numpy as np
import pytest
import walls
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from contracts.champion import KEPT, PROMOTED
from training.barriers import Barriers, mended, mending, reflected
from training.bundle.checks import Leak
from training.ensemble import ENSEMBLES
from training.evidence.decision import Parties, Rules, compare, decide
from training.evidence.evidence import Evidence, LeakUntilExplained, gather, require_plausible
from training.evidence.guards import require_best_chances, require_horizon
from training.evidence.walk import Learner, walk, walk_together
from training.evidence.walk import tested as asked
from training.expert import EXPERTS
from training.experts.barrier import Barrier
from training.experts.barrier_trees import BarrierTrees
from training.forecast import frequencies
from training.objective import Forecasts, Rows
from training.objectives.levels import FEATURES, Levels, touch_losses
from training.recipe import recipe
from training.samples.folds import WalkForward
from training.samples.samples import Samples, from_matrix

LEVELS, DEMO = Levels(), recipe("demo_levels")
CUT, HORIZON = WalkForward(count=2), 5


@pytest.fixture(scope="module")
def planted() -> Samples:
    return from_matrix(walls.matrix(walls.panel(0.99, 16, 600)), DEMO.features)


@pytest.fixture(scope="module")
def plain() -> Samples:
    return from_matrix(walls.matrix(walls.panel(0.0, 16, 600)), DEMO.features)


# The law


def test_the_law_is_that_of_a_random_walk() -> None:
    # Steps of 1 / 30 deviations fall short of a barrier by 0.5826 of them (Siegmund, 1979).
    random, steps, walks = np.random.default_rng(0), 900, 20_000
    at, low, high = (np.zeros(walks) for _ in range(3))
    for _ in range(steps):
        at += random.normal(size=walks) / sqrt(steps)
        np.minimum(low, at, out=low)
        np.maximum(high, at, out=high)
    short = 0.5826 / sqrt(steps)
    for below, above in ((0.4, 0.6), (1.0, 1.0), (0.3, 2.0), (2.0, 1.2)):
        classes = (low <= short - below) + 2 * (high >= above - short)
        came = np.bincount(classes, minlength=4) / walks
        [found] = reflected(np.array([below]), np.array([above]), np.ones(1))
        assert found == pytest.approx(came, abs=0.012), (below, above)


@given(st.floats(0.02, 6), st.floats(0.02, 6), st.floats(0.05, 20))
def test_either_touch_has_the_chance_of_its_own_barrier(a: float, b: float, s: float) -> None:
    found = reflected(np.array([a]), np.array([b]), np.array([s]))
    LEVELS.head.require(found)
    wanted = [2 * norm.cdf(-a / s), 2 * norm.cdf(-b / s)]
    assert LEVELS.head.of_each(found)[0] == pytest.approx(wanted, abs=1e-5)
    mirror = reflected(np.array([b]), np.array([a]), np.array([s]))
    assert found[0] == pytest.approx(mirror[0, [0, 2, 1, 3]], abs=1e-9)


@pytest.mark.parametrize("absurd", [0.0, -1.0, 1e-300, 1e300])
def test_absurd_distances_and_volatilities_have_chances(absurd: float) -> None:
    one, odd = np.ones(1), np.array([absurd])
    for values in ((odd, one, one), (one, odd, one), (one, one, odd), (odd, odd, odd)):
        LEVELS.head.require(reflected(*values))


def test_a_stretch_is_found_again() -> None:
    random = np.random.default_rng(1)
    values = np.column_stack([random.uniform(0.005, 0.06, (20_000, 2)), np.full(20_000, 0.01)])
    true = reflected(values[:, 0], values[:, 1], 1.4 * sqrt(5) * values[:, 2])
    truth = (random.random(20_000)[:, None] > true.cumsum(axis=1)).sum(axis=1)
    law = Barriers.fit(values, truth)
    assert law.stretch == pytest.approx(1.4, rel=0.04)
    assert np.abs(law.chances(values) - true).max() < 0.03


def test_what_is_mended_is_right_on_average_and_as_scikit_learn_has_it() -> None:
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(2)
    said = random.dirichlet(np.ones(4), 5000)
    true = mended(said, 0.6, np.array([0.0, 0.5, -0.3, 0.2]))
    truth = (random.random(5000)[:, None] > true.cumsum(axis=1)).sum(axis=1)
    slope, shift = mending(said, truth)
    assert slope == pytest.approx(0.6, abs=0.06)
    found = mended(said, slope, shift)
    assert found.mean(axis=0) == pytest.approx(np.bincount(truth) / 5000, abs=1e-3)
    free = LogisticRegression(C=1e6, max_iter=2000).fit(np.log(said), truth)
    other = free.predict_proba(np.log(said))
    assert np.abs(found - other).mean() < 0.02  # which has four slopes a class in place of one


# The objective


def test_touches_are_judged_by_the_brier_score() -> None:
    from sklearn.metrics import brier_score_loss

    said, truth = np.random.default_rng(3).dirichlet(np.ones(4), 500), np.arange(500) % 4
    wanted = brier_score_loss(truth % 2, said[:, 1] + said[:, 3])
    wanted += brier_score_loss(truth // 2, said[:, 2] + said[:, 3])
    assert touch_losses(Forecasts(LEVELS, said), truth).mean() == pytest.approx(wanted)


def test_an_answer_tells_prices_on_either_side_of_the_close() -> None:
    said = np.array([[0.4, 0.3, 0.2, 0.1]])
    row = dict(zip(LEVELS.columns, said[0].tolist(), strict=True))
    row |= {name: values.item() for name, values in LEVELS.derived(said).items()}
    row |= {"close": 50.0, FEATURES[0]: 0.02, FEATURES[1]: 0.04}
    told = LEVELS.answer(row)
    assert told.keys() == LEVELS.tells.keys()
    assert told["support"] == pytest.approx(50 * exp(-0.02)) and told["support"] < 50
    assert told["resistance"] == pytest.approx(50 * exp(0.04))
    assert (told["p_support"], told["p_resistance"]) == pytest.approx((0.4, 0.3))
    for name in LEVELS.keeps:
        unknown = LEVELS.answer(row | {name: None})
        assert unknown["support"] is unknown["resistance"] is None
        assert unknown["p_support"] == told["p_support"]


# Baselines and experts


def test_baselines_are_at_their_best(planted: Samples, plain: Samples) -> None:
    for samples in (planted, plain):
        for baseline in LEVELS.baselines.values():
            require_best_chances(baseline, samples, CUT.split(samples)[-1])


@pytest.mark.slow
def test_a_handicapped_baseline_is_found(plain: Samples) -> None:
    def timid(train: Rows, test: Rows) -> Forecasts:
        best = LEVELS.baselines["barrier"](train, test).values
        return Forecasts(LEVELS, mended(best, 0.5, np.zeros(4)))

    with pytest.raises(Leak, match="a baseline must be at its best"):
        require_best_chances(timid, plain, CUT.split(plain)[-1])


def test_the_zero_expert_is_its_baseline(plain: Samples) -> None:
    fold = CUT.split(plain)[-1]
    train, test = plain.take(fold.train), plain.take(fold.test)
    answer = Barrier().forecast(Barrier().fit(train, LEVELS.head), test)
    assert answer == pytest.approx(LEVELS.baselines["barrier"](train, test).values)


def test_rows_without_levels_are_told_the_usual(plain: Samples) -> None:
    model = Barrier().fit(plain, LEVELS.head)
    nothing = np.full((2, 1, len(plain.features)), np.nan, np.float32)
    usual = frequencies(plain.truth, LEVELS.head)
    assert model.forecast(nothing) == pytest.approx(np.tile(usual, (2, 1)))


@pytest.mark.slow
def test_trees_that_learn_nothing_leave_the_law_as_it_is(plain: Samples) -> None:
    law = Barrier().fit(plain, LEVELS.head)
    still = BarrierTrees(rounds=1, learning_rate=1e-9).fit(plain, LEVELS.head)
    windows = plain.windows(1)
    assert still.forecast(windows) == pytest.approx(law.forecast(windows), abs=1e-6)


# Markets


def walked(samples: Samples) -> tuple[Mapping[str, Evidence], Mapping[str, Forecasts]]:
    require_horizon(samples, HORIZON)
    folds = CUT.split(samples)
    walks = {
        name: walk(Learner(EXPERTS.get(name)(**DEMO.fixed.get(name, {})), LEVELS), samples, folds)
        for name in DEMO.experts
    }
    members = [one.forecasts for one in walks.values()]
    walks["soft"] = walk_together(ENSEMBLES.get("soft")(), members, samples, folds)
    found = gather(walks, samples, folds, HORIZON)
    return found, {name: one.forecasts for name, one in walks.items()}


def contest(samples: Samples, answers: Mapping[str, Forecasts]) -> str:
    """The ensemble against champion zero on what neither had learnt."""
    rows = samples.take(asked(CUT.split(samples)))
    found = compare(answers["soft"], answers[LEVELS.zero], rows.truth, rows.sessions)
    parties = Parties("walls", "levels_5", "soft", LEVELS.zero, 1)
    return decide(parties, replace(found, overlap=HORIZON), Rules()).outcome


@pytest.mark.slow
def test_walls_are_found(planted: Samples) -> None:
    found, answers = walked(planted)
    for name in ("barrier_trees", "soft"):
        assert found[name].beside["barrier"]["touch_brier"].high < 0, name
        assert found[name].beside["class_prior"]["touch_brier"].high < 0, name
        require_plausible(found[name], "")
    assert contest(planted, answers) == PROMOTED


@pytest.mark.slow
def test_where_nothing_holds_nobody_is_promoted(plain: Samples) -> None:
    found, answers = walked(plain)
    gain = found["soft"].beside["barrier"]["touch_brier"]
    assert gain.low < 0.001 and gain.high > -0.001
    assert contest(plain, answers) == KEPT
    # The law itself is worth much, for it knows how far away the levels are.
    assert found["barrier"].beside["class_prior"]["touch_brier"].high < -0.03


@pytest.mark.slow
def test_a_feature_that_knows_the_truth_is_too_good(plain: Samples) -> None:
    values = plain.history.values.copy()
    values[plain.rows, plain.features.index("return_1")] = plain.truth
    leaking = replace(plain, history=replace(plain.history, values=values))
    folds = CUT.split(leaking)
    trees = BarrierTrees(max_depth=3, learning_rate=0.3, colsample_bytree=1.0)
    walks = {"barrier_trees": walk(Learner(trees, LEVELS), leaking, folds)}
    with pytest.raises(LeakUntilExplained, match="a Brier score of touches of"):
        require_plausible(gather(walks, leaking, folds, HORIZON)["barrier_trees"], "")
