"""Losses that may come, by formulas written out again, and on markets whose tails are planted."""

from dataclasses import replace

import numpy as np
import pytest
import storms
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from contracts.champion import KEPT, PROMOTED
from training.bundle.checks import Leak
from training.evidence.decision import Parties, Rules, compare, decide
from training.evidence.evidence import LeakUntilExplained, gather, require_plausible
from training.evidence.guards import require_best_chances
from training.evidence.walk import Learner, walk
from training.evidence.walk import tested as asked
from training.expert import EXPERTS
from training.experts.filtered_simulation import FilteredSimulation
from training.experts.historical_simulation import HistoricalSimulation
from training.forecast import Floats, ForecastError, Quantiles, Tails
from training.objective import OBJECTIVES, Forecasts, Rows
from training.objectives.risk import HEAD, Risk, exceeded, factor, fz0_losses, right
from training.recipe import recipe
from training.samples.folds import WalkForward
from training.samples.samples import Samples, TrainingError, from_matrix

RISK, DEMO, CUT = Risk(), recipe("demo_risk"), WalkForward(count=2)
EXPERT_NAMES = ("filtered_simulation", "tail_xgboost")


def said(*rows: tuple[float, float, float, float]) -> Forecasts:
    return Forecasts(RISK, np.array(rows))


def fz0(returns: Floats, value: float, shortfall: float, level: float) -> Floats:
    """As Patton, Ziegel and Chen (2019) write it, of returns: v and e lie below 0."""
    v, e, alpha = -value, -shortfall, 1 - level
    hit = np.where(returns <= v, 1.0, 0.0)
    return -hit * (v - returns) / (alpha * e) + v / e + np.log(-e) - 1


@pytest.fixture(scope="module")
def samples() -> Samples:
    return from_matrix(storms.matrix_of(storms.panel(True, 8, 700), DEMO), DEMO.features)


@pytest.fixture(scope="module")
def calm() -> Samples:
    return from_matrix(storms.matrix_of(storms.panel(False, 8, 700), DEMO), DEMO.features)


# Losses


def test_the_loss_is_that_of_its_formula() -> None:
    returns = np.array([-0.05, -0.021, 0.0, 0.04])
    found = fz0_losses(said(*[(0.02, 0.03, 0.026, 0.035)] * 4), returns)
    wanted = (fz0(returns, 0.02, 0.026, 0.95) + fz0(returns, 0.03, 0.035, 0.99)) / 2
    assert found == pytest.approx(wanted)


def test_a_normal_law_is_told_best_by_its_own_tails() -> None:
    returns = 0.01 * norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    z = norm.ppf(np.array(HEAD.levels))
    true = 0.01 * np.concatenate([z, norm.pdf(z) / (1 - np.array(HEAD.levels))])

    def mean(values: Floats) -> float:
        answers = np.tile(HEAD.from_means(values[None]), (len(returns), 1))
        return float(fz0_losses(Forecasts(RISK, answers), returns).mean())

    for place in range(4):
        for change in (0.97, 1.03):
            other = true.copy()
            other[place] *= change
            assert mean(other) > mean(true)
    answers = np.tile(true, (len(returns), 1))
    assert exceeded(answers, returns).mean(axis=0) == pytest.approx([0.05, 0.01], abs=1e-4)
    assert right(answers, returns) == pytest.approx(np.ones(4), abs=2e-3)


def test_differences_do_not_change_with_the_unit() -> None:
    returns = np.random.default_rng(0).standard_t(4, 500)
    one, other = ((1.5, 2.5, 2.1, 3.2), (2.0, 2.4, 2.5, 2.9))
    gains = [
        fz0_losses(said(*[tuple(unit * x for x in one)] * 500), unit * returns)
        - fz0_losses(said(*[tuple(unit * x for x in other)] * 500), unit * returns)
        for unit in (0.01, 1.0)
    ]
    # But where next to nothing is lost: that counts as a basis point.
    assert gains[0] == pytest.approx(gains[1], abs=1e-9)


def test_the_factor_makes_the_loss_smallest() -> None:
    random = np.random.default_rng(1)
    returns = 0.01 * random.standard_t(4, 4000)
    answers = HEAD.from_means(0.02 * np.exp(random.normal(0, 0.3, (4000, 4))))

    def mean(log: float) -> float:
        scaled = HEAD.from_means(np.exp(log) * answers)
        return float(fz0_losses(Forecasts(RISK, scaled), returns).mean())

    best = minimize_scalar(mean, bounds=(-3, 3), method="bounded", options={"xatol": 1e-7}).x
    assert np.log(factor(answers, returns)) == pytest.approx(best, abs=2e-3)


def test_gains_count_as_nothing_lost_and_all_losses_are_numbers() -> None:
    returns = np.array([1.0, 0.0, -1.0, -1e-6])
    for row in ((1e-4, 1e-4, 1e-4, 1e-4), (0.9, 0.9, 0.9, 0.9)):
        found = fz0_losses(said(*[row] * 4), returns)
        assert np.isfinite(found).all() and found[0] == found[1] == found[3]


def test_what_is_no_tail_is_refused() -> None:
    for row in (
        (0.02, 0.01, 0.03, 0.03),
        (0.02, 0.03, 0.01, 0.04),
        (0.02, 0.03, 0.05, 0.04),
        (0.0, 0.03, 0.04, 0.05),
        (-0.02, 0.03, 0.04, 0.05),
    ):
        with pytest.raises(ForecastError, match="in order"):
            said(row)
        RISK.head.require(HEAD.from_means(np.array([row])))


def test_callers_are_told_fractions_lost() -> None:
    row = {"var_95": 0.02, "var_99": 0.03, "es_95": 0.026, "es_99": 0.035, "signal": None}
    assert RISK.answer(row) == {name: row[name] for name in RISK.columns}
    assert RISK.rank({**row, "var_95": 0.01}) > RISK.rank(row)


# Baselines and experts


def test_baselines_are_at_their_best(samples: Samples) -> None:
    for baseline in RISK.baselines.values():
        require_best_chances(baseline, samples, CUT.split(samples)[-1])


def test_a_handicapped_baseline_is_found(samples: Samples) -> None:
    def double(train: Rows, test: Rows) -> Forecasts:
        return Forecasts(RISK, 2.0 * RISK.baselines["ewma_normal"](train, test).values)

    with pytest.raises(Leak, match="a baseline must be at its best"):
        require_best_chances(double, samples, CUT.split(samples)[-1])


def test_the_zero_expert_is_its_baseline(samples: Samples) -> None:
    known = np.isfinite(samples.column("historical_loss_95_252"))
    rows = samples.take(known)
    half = len(rows) // 2
    train, test = rows.take(np.arange(half)), rows.take(np.arange(half, len(rows)))
    expert = HistoricalSimulation()
    found = expert.forecast(expert.fit(train, RISK.head), test)
    wanted = RISK.baselines["historical_simulation"](train, test).values
    assert found == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("name", [*EXPERT_NAMES, "historical_simulation"])
def test_losses_exceed_as_often_as_is_said(name: str, samples: Samples) -> None:
    expert = EXPERTS.get(name)()
    found = expert.forecast(expert.fit(samples, RISK.head), samples)
    assert exceeded(found, samples.truth).mean(axis=0) == pytest.approx([0.05, 0.01], abs=0.012)


def test_the_scale_is_a_gamma_regression_of_absolute_returns(samples: Samples) -> None:
    from sklearn.linear_model import GammaRegressor
    from sklearn.preprocessing import StandardScaler

    expert = FilteredSimulation(ridge=0.01)
    x = np.column_stack([samples.column(name) for name in expert.terms])
    whole = samples.take(np.isfinite(x).all(axis=1))
    logs = StandardScaler().fit_transform(np.log(x[np.isfinite(x).all(axis=1)]))
    moved = np.maximum(np.abs(whole.truth), 1e-4)
    wanted = GammaRegressor(alpha=0.01, tol=1e-9, max_iter=2000).fit(logs, moved).predict(logs)
    found = expert.forecast(expert.scale(whole, RISK.head), whole)
    assert found[:, 2] == pytest.approx(wanted, rel=2e-3)


def test_what_cannot_be_learnt_from_is_named() -> None:
    bare = from_matrix(storms.matrix(False, 2, 200), ("return_1",))
    for name in (*EXPERT_NAMES, "historical_simulation"):
        with pytest.raises(TrainingError, match="name a view that has it in the recipe"):
            EXPERTS.get(name)().fit(bare, RISK.head)


@pytest.mark.parametrize("name", [*EXPERT_NAMES, "historical_simulation"])
def test_few_rows_are_enough(name: str, samples: Samples) -> None:
    few = samples.take(np.arange(len(samples) - 120, len(samples)))
    expert = EXPERTS.get(name)()
    RISK.head.require(expert.forecast(expert.fit(few, RISK.head), few))


@pytest.mark.parametrize("name", [*EXPERT_NAMES, "historical_simulation"])
def test_a_history_that_nobody_had_in_training_changes_no_answer_beyond_reason(
    name: str, samples: Samples
) -> None:
    # Its first year a market has no year's losses, and what was learnt is asked after it.
    young = ~np.isfinite(samples.column("historical_loss_95_252"))
    train, test = samples.take(young), samples.take(~young)
    assert len(train) > 500 and len(test) > 500
    expert = EXPERTS.get(name)()
    found = expert.forecast(expert.fit(train, RISK.head), test)[:, 0]
    wanted = -np.quantile(train.truth, 0.05)
    assert wanted / 5 < np.median(found) < 5 * wanted
    said = RISK.baselines["historical_simulation"](train, test)
    assert wanted / 5 < np.median(said.values[:, 0]) < 5 * wanted


# Markets


def outcome(samples: Samples, name: str) -> tuple[str, float]:
    """A contest against historical simulation on what neither had learnt, and the gain."""
    folds = CUT.split(samples)
    walks = {n: walk(Learner(EXPERTS.get(n)(), RISK), samples, folds) for n in (name, RISK.zero)}
    found = gather(walks, samples, folds)[name]
    require_plausible(found, "")
    rows = samples.take(asked(folds))
    one, other = (walks[n].forecasts for n in (name, RISK.zero))
    contest = compare(one, other, rows.truth, rows.sessions)
    decided = decide(Parties("storms", "risk_1", name, RISK.zero, 1), contest, Rules())
    return decided.outcome, found.beside[RISK.zero]["fz0"].value


@pytest.mark.parametrize("name", EXPERT_NAMES)
def test_storms_are_foretold(name: str, samples: Samples) -> None:
    decided, gain = outcome(samples, name)
    assert decided == PROMOTED and gain < -0.02


def test_where_it_is_always_the_same_nobody_is_promoted(calm: Samples) -> None:
    # A year's quantile is noisy: who pools all rows wins by that, and by nothing else.
    fold = CUT.split(calm)[-1]
    train, test = calm.take(fold.train), calm.take(fold.test)
    spread = float(np.std(train.truth))
    z = norm.ppf(np.array(HEAD.levels))
    law = np.concatenate([z, norm.pdf(z) / (1 - np.array(HEAD.levels))]) * spread
    true = Forecasts(RISK, np.tile(law, (len(test), 1)))
    answer = Learner(FilteredSimulation(), RISK).answer(train, test)
    contest = compare(answer, true, test.truth, test.sessions)
    assert decide(Parties("calm", "risk_1", "a", "b", 1), contest, Rules()).outcome == KEPT


def test_a_feature_that_knows_the_truth_is_too_good(samples: Samples) -> None:
    values = samples.history.values.copy()
    knows = np.where(samples.truth < 0, 0.03, 0.005)
    values[samples.rows, samples.features.index("realised_volatility_1")] = knows
    leaking = replace(samples, history=replace(samples.history, values=values))
    folds = CUT.split(leaking)
    walks = {"trees": walk(Learner(EXPERTS.get("tail_xgboost")(), RISK), leaking, folds)}
    with pytest.raises(LeakUntilExplained, match="larger before falls than before rises"):
        require_plausible(gather(walks, leaking, folds)["trees"], "")


def test_other_heads_are_other_questions() -> None:
    assert isinstance(OBJECTIVES.get("risk").head, Tails)
    assert Tails((0.9,)).width == 2 and not isinstance(HEAD, Quantiles)
