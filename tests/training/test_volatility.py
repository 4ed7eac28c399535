"""Volatility, by formulas written out again, and on markets of which the volatility is planted."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import storms
from scipy.optimize import minimize_scalar

from contracts.champion import KEPT, PROMOTED
from training.bundle.checks import Leak
from training.bundle.model import ModelError
from training.ensemble import ENSEMBLES
from training.evidence.decision import Parties, Rules, compare, decide
from training.evidence.evidence import (
    Evidence,
    LeakUntilExplained,
    gather,
    require_plausible,
)
from training.evidence.guards import require_best_chances, require_horizon
from training.evidence.walk import Learner, walk, walk_together
from training.evidence.walk import tested as asked
from training.expert import EXPERTS
from training.experts.har import FEATURES, Har
from training.experts.mean_22 import Mean22
from training.experts.trees import Trees
from training.forecast import Classes, Floats, Value
from training.objective import Forecasts, Objective, Rows
from training.objectives.volatility import FLOOR, Volatility, log_errors, qlike_losses
from training.recipe import recipe
from training.samples.folds import WalkForward
from training.samples.samples import Samples, TrainingError, from_matrix

VOLATILITY, DEMO = Volatility(), recipe("demo_volatility")
CUT = WalkForward(count=2)
HORIZON = 5


def said(*volatilities: float) -> Forecasts:
    return Forecasts(VOLATILITY, np.array(volatilities)[:, None])


def qlike(truth: Floats, found: Floats) -> float:
    """As Patton (2011) writes it."""
    ratio = truth**2 / found**2
    return float(np.mean(ratio - np.log(ratio) - 1))


@pytest.fixture(scope="module")
def samples() -> Samples:
    return from_matrix(storms.matrix(True), DEMO.features)


@pytest.fixture(scope="module")
def calm() -> Samples:
    return from_matrix(storms.matrix(False), DEMO.features)


# Losses


def test_losses_are_those_of_their_formulas() -> None:
    truth = np.array([0.01, 0.02, 0.03])
    forecasts = said(0.02, 0.02, 0.01)
    wanted = [0.25 - math.log(0.25) - 1, 0.0, 9 - math.log(9) - 1]
    assert qlike_losses(forecasts, truth) == pytest.approx(wanted)
    assert log_errors(forecasts, truth) == pytest.approx([math.log(2) ** 2, 0, math.log(3) ** 2])
    # QLIKE is twice the divergence of one normal law from another of the same mean.
    divergence = [math.log(f / s) + s * s / (2 * f * f) - 0.5 for s, f in ((0.01, 0.02),)]
    assert qlike_losses(said(0.02), truth[:1]) == pytest.approx(2 * np.array(divergence))


def test_the_smallest_loss_has_the_root_of_the_mean_variance() -> None:
    truth = np.exp(np.random.default_rng(0).normal(-4, 0.7, 500))

    def mean(log: float) -> float:
        return float(qlike_losses(said(*[math.exp(log)] * 500), truth).mean())

    best = minimize_scalar(mean, bounds=(-9, 0), method="bounded", options={"xatol": 1e-8}).x
    assert math.exp(best) == pytest.approx(np.sqrt(np.mean(truth**2)), rel=1e-5)


def test_what_did_not_move_counts_as_a_basis_point() -> None:
    still, basis_point = np.zeros(1), np.full(1, 1e-4)
    for loss in (qlike_losses, log_errors):
        assert np.isfinite(loss(said(0.01), still))
        assert loss(said(0.01), still) == loss(said(0.01), basis_point)
        assert loss(said(FLOOR), still) == pytest.approx([0.0])
    # Who is better does not hang on it: the truth's logarithm is the same for both.
    gain = qlike_losses(said(0.02), still) - qlike_losses(said(0.01), still)
    assert gain == pytest.approx([2 * math.log(2)], rel=1e-3)


def test_whoever_says_nothing_at_all_loses_and_is_counted() -> None:
    truth = np.full(1, 0.02)
    for absurd in (1e-300, 1e300):
        found = qlike_losses(said(absurd), truth)
        assert np.isfinite(found) and found > 100
    assert np.isfinite(log_errors(said(1e-300), truth))


# Baselines


def test_baselines_are_at_their_best(samples: Samples) -> None:
    fold = CUT.split(samples)[-1]
    train, test = samples.take(fold.train), samples.take(fold.test)
    for name, feature in (("mean_22", "realised_volatility_22"),):
        answer = VOLATILITY.baselines[name](train, test).values[:, 0]
        own = test.column(feature)
        [factor] = np.unique((answer / own)[np.isfinite(own)].round(6))
        known = np.isfinite(train.column(feature))
        ratio = train.truth[known] / train.column(feature)[known]
        best = minimize_scalar(lambda c, r=ratio: qlike(r, np.array(c)), bounds=(0.1, 5)).x
        assert factor == pytest.approx(best, rel=0.02)
    for baseline in VOLATILITY.baselines.values():
        require_best_chances(baseline, samples, fold)


def test_a_handicapped_baseline_is_found(samples: Samples) -> None:
    def half(train: Rows, test: Rows) -> Forecasts:
        best = VOLATILITY.baselines["ewma"](train, test)
        return Forecasts(VOLATILITY, 0.5 * best.values)

    with pytest.raises(Leak, match="a baseline must be at its best"):
        require_best_chances(half, samples, CUT.split(samples)[-1])


def test_the_zero_expert_is_its_baseline(samples: Samples) -> None:
    fold = CUT.split(samples)[-1]
    train, test = samples.take(fold.train), samples.take(fold.test)
    expert = Mean22()
    answer = expert.forecast(expert.fit(train, VOLATILITY.head), test)
    known = np.isfinite(test.column("realised_volatility_22"))
    wanted = VOLATILITY.baselines["mean_22"](train, test).values
    assert known.mean() > 0.9
    assert answer[known] == pytest.approx(wanted[known], rel=0.02)


# Experts


def test_har_is_ridge_regression_of_logarithms(samples: Samples) -> None:
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    x = np.column_stack([samples.column(name) for name in FEATURES])
    whole = samples.take(np.isfinite(x).all(axis=1))
    x = StandardScaler().fit_transform(np.log(x[np.isfinite(x).all(axis=1)]))
    y = np.log(whole.truth**2)
    model = Ridge(alpha=0.1 * len(x)).fit(x, y)
    plain = np.exp(model.predict(x))
    wanted = np.sqrt(plain * np.mean(whole.truth**2 / plain))
    expert = Har(ridge=0.1)
    found = expert.forecast(expert.fit(whole, VOLATILITY.head), whole)[:, 0]
    assert found == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("name", ["har", "mean_22", "xgboost"])
def test_variances_are_right_on_average(name: str, samples: Samples) -> None:
    expert = EXPERTS.get(name)()
    answer = expert.forecast(expert.fit(samples, VOLATILITY.head), samples)[:, 0]
    tolerance = 0.02 if name == "xgboost" else 1e-4
    assert np.mean(samples.truth**2 / answer**2) == pytest.approx(1.0, abs=tolerance)


@pytest.mark.parametrize("name", ["har", "mean_22", "xgboost"])
def test_markets_a_thousand_times_calmer_are_foretold_as_well(name: str, samples: Samples) -> None:
    # Variances of 1e-10 drown in whatever is added to them.
    fields = {"floor": 1e-9} if name != "xgboost" else {}
    expert = EXPERTS.get(name)(**fields)
    tiny = replace(samples.history, values=samples.history.values * np.float32(1e-3))
    quiet = replace(samples.with_truth(samples.truth * 1e-3), history=tiny)
    plain, calm = (expert.forecast(expert.fit(s, VOLATILITY.head), s) for s in (samples, quiet))
    assert np.log(1e3 * calm / plain) == pytest.approx(0.0, abs=0.05)


def test_bars_of_one_price_are_no_obstacle(samples: Samples) -> None:
    still = np.arange(len(samples)) % 7 == 0
    some = samples.with_truth(np.where(still, 0.0, samples.truth))
    for name in ("har", "mean_22", "xgboost"):
        expert = EXPERTS.get(name)()
        VOLATILITY.head.require(expert.forecast(expert.fit(some, VOLATILITY.head), some))


def test_trees_of_a_plain_number_foretell_its_mean(samples: Samples) -> None:
    shifted = samples.with_truth(samples.truth - 0.01)
    expert = Trees(rounds=20)
    answer = expert.forecast(expert.fit(shifted, Value()), shifted)[:, 0]
    assert answer.mean() == pytest.approx(shifted.truth.mean(), abs=1e-4)
    assert np.corrcoef(answer, shifted.truth)[0, 1] > 0.3


def test_what_cannot_be_learnt_from_is_named(samples: Samples) -> None:
    bare = from_matrix(storms.matrix(False, 2, 200), ("return_1",))
    for name in ("har", "mean_22"):
        with pytest.raises(TrainingError, match="name a view that has it in the recipe"):
            EXPERTS.get(name)().fit(bare, VOLATILITY.head)
        with pytest.raises(ModelError, match="expected a head of values above 0"):
            EXPERTS.get(name)().fit(samples, Classes(3))


# Markets


def walked(samples: Samples) -> tuple[Mapping[str, Evidence], Mapping[str, Forecasts]]:
    require_horizon(samples, HORIZON)
    folds = CUT.split(samples)
    objective: Objective = VOLATILITY
    walks = {
        name: walk(
            Learner(EXPERTS.get(name)(**DEMO.fixed.get(name, {})), objective), samples, folds
        )
        for name in (*DEMO.experts, objective.zero)
    }
    members = [walks[name].forecasts for name in DEMO.experts]
    walks["soft"] = walk_together(ENSEMBLES.get("soft")(), members, samples, folds)
    found = gather(walks, samples, folds, HORIZON)
    return found, {name: one.forecasts for name, one in walks.items()}


def contest(samples: Samples, answers: Mapping[str, Forecasts]) -> str:
    """The ensemble against champion zero on what neither had learnt."""
    rows = samples.take(asked(CUT.split(samples)))
    found = compare(answers["soft"], answers["mean_22"], rows.truth, rows.sessions)
    parties = Parties("storms", "volatility_5", "soft", "mean_22", 1)
    return decide(parties, replace(found, overlap=HORIZON), Rules()).outcome


def test_storms_are_foretold(samples: Samples) -> None:
    found, answers = walked(samples)
    for name in (*DEMO.experts, "soft"):
        gain = found[name].beside["mean_22"]["qlike"]
        assert gain.high < 0, name
    require_plausible(found["soft"], "")
    assert contest(samples, answers) == PROMOTED
    by_hand = qlike(samples.take(asked(CUT.split(samples))).truth, answers["har"].values[:, 0])
    assert found["har"].own["qlike"].value == pytest.approx(by_hand)


def test_where_it_is_always_the_same_nobody_is_promoted(calm: Samples) -> None:
    found, answers = walked(calm)
    # Nobody beats the one number that is true, whatever 22 sessions' mean loses by its noise.
    truth = calm.take(asked(CUT.split(calm))).truth
    best = qlike(truth, np.sqrt(np.mean(truth**2)))
    assert found["soft"].own["qlike"].value > best - 1e-4
    assert contest(calm, answers) == KEPT


def test_mixed_truths_teach_nothing(samples: Samples) -> None:
    fold = CUT.split(samples)[-1]
    train, test = samples.take(fold.train), samples.take(fold.test)
    random, expert, losses = np.random.default_rng(1), Har(), []
    for _ in range(20):
        mixed = train.with_truth(random.permutation(train.truth))
        answer = expert.forecast(expert.fit(mixed, VOLATILITY.head), test)[:, 0]
        losses.append(qlike(test.truth, answer))
    constant = np.full(len(test), np.sqrt(np.mean(train.truth**2)))
    assert np.mean(losses) > qlike(test.truth, constant) - 0.002


def test_a_feature_that_knows_the_truth_is_too_good(samples: Samples) -> None:
    values = samples.history.values.copy()
    values[samples.rows, samples.features.index("realised_volatility_1")] = samples.truth
    leaking = replace(samples, history=replace(samples.history, values=values))
    folds = CUT.split(leaking)
    walks = {"har": walk(Learner(Har(ridge=1e-5), VOLATILITY), leaking, folds)}
    with pytest.raises(LeakUntilExplained, match="a QLIKE of"):
        require_plausible(gather(walks, leaking, folds, HORIZON)["har"], "")
