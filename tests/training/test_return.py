"""Returns, by formulas written out again, and on markets of which everything is planted."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import storms
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, r2_score

from contracts.champion import KEPT, PROMOTED
from training.bundle.checks import Leak
from training.bundle.model import Model, read
from training.bundle.models.constant import Constant
from training.bundle.models.scaled import Scaled
from training.conformal import Conformal
from training.evidence.decision import Parties, Rules, compare, decide
from training.evidence.evidence import Evidence, LeakUntilExplained, gather, require_plausible
from training.evidence.guards import require_best_chances, require_horizon
from training.evidence.score import tally
from training.evidence.walk import Learner, walk
from training.evidence.walk import tested as asked
from training.expert import EXPERTS
from training.forecast import Floats, Quantiles
from training.objective import Forecasts, Rows
from training.objectives.return_ import LEVELS, SCALE, Return, expected
from training.recipe import recipe
from training.samples.folds import WalkForward
from training.samples.samples import Samples, TrainingError, from_matrix

RETURN, DEMO = Return(), recipe("demo_return")
CUT = WalkForward(count=2)
# Statistics of the quickest of the demo's experts, and of all in `make test-slow`.
QUICK = "quantile_trees"
ALL = [pytest.param(name, marks=() if name == QUICK else pytest.mark.slow) for name in DEMO.experts]
EACH = pytest.mark.parametrize("name", ALL)
NORMAL = np.array([-1.645, -1.282, -0.674, -0.253, 0.0, 0.253, 0.674, 1.282, 1.645])


@cache
def market(storm: bool, broken: int | None = None, sessions: int = 700) -> Samples:
    made = storms.panel(storm, 12, sessions, seed=3, broken=broken)
    return from_matrix(storms.matrix_of(made, DEMO), DEMO.features)


@pytest.fixture
def stormy() -> Samples:
    return market(True)


@pytest.fixture
def calm() -> Samples:
    return market(False)


def planted(samples: Samples) -> Samples:
    """The same market, but that a session's move goes on by a third of itself."""
    before = np.nan_to_num(samples.column("return_1").astype(np.float64))
    return samples.with_truth(samples.truth + before / 3)


def some(n: int, seed: int = 0) -> tuple[Forecasts, Floats]:
    random = np.random.default_rng(seed)
    values = np.sort(random.normal(0, 0.02, (n, 9)), axis=1)
    return Forecasts(RETURN, values), random.normal(0, 0.02, n)


# Losses and scores


def test_scores_are_those_of_their_formulas() -> None:
    said, truth = some(400)
    scores = tally(said, truth, np.arange(400).astype("datetime64[D]")).scores()
    by_level = [
        mean_pinball_loss(truth, said.values[:, i], alpha=level) for i, level in enumerate(LEVELS)
    ]
    assert scores["pinball"][0] == pytest.approx(100 * np.mean(by_level))
    assert scores["mae"][0] == pytest.approx(100 * mean_absolute_error(truth, said.values[:, 4]))
    gain = expected(said.values)
    assert scores["r2"][0] == pytest.approx(r2_score(truth, gain))
    assert scores["rmse"][0] == pytest.approx(100 * np.sqrt(np.mean((truth - gain) ** 2)))
    for name, low, high in (("coverage_80", 1, 7), ("coverage_90", 0, 8)):
        inside = (said.values[:, low] <= truth) & (truth <= said.values[:, high])
        assert scores[name][0] == pytest.approx(inside.mean())


def test_one_truth_alone_has_no_r2() -> None:
    said, truth = some(5)
    for same in (truth[:1], np.full(5, 0.01)):
        part = Forecasts(RETURN, said.values[: len(same)])
        found = tally(part, same, np.arange(len(same)).astype("datetime64[D]")).scores()
        assert np.isfinite(found["r2"]).all()


@given(centre=st.floats(-0.1, 0.1), spread=st.floats(1e-4, 0.1), skew=st.floats(-0.5, 2.0))
def test_the_expected_return_is_the_mean_of_the_quantiles(
    centre: float, spread: float, skew: float
) -> None:
    symmetric = (centre + spread * NORMAL)[None]
    assert expected(symmetric)[0] == pytest.approx(centre, abs=1e-12)
    # It is the mean over levels of the quantile that lies nearest to each.
    values = centre + spread * np.where(NORMAL > 0, (1 + skew) * NORMAL, NORMAL)
    levels = (np.arange(20000) + 0.5) / 20000
    nearest = values[np.abs(levels[:, None] - np.array(LEVELS)).argmin(axis=1)]
    assert expected(values[None])[0] == pytest.approx(nearest.mean(), rel=1e-3, abs=1e-6)


def test_an_answer_tells_what_follows_from_its_quantiles() -> None:
    said, _ = some(3)
    row = dict(zip(RETURN.columns, said.values[1].tolist(), strict=True)) | {"signal": None}
    told = RETURN.answer(row)
    assert set(told) == set(RETURN.tells)
    assert told["interval_80"] == [said.values[1, 1], said.values[1, 7]]
    assert told["interval_90"] == [said.values[1, 0], said.values[1, 8]]
    assert list(told["quantiles"].values()) == said.values[1].tolist()
    assert [float(level) for level in told["quantiles"]] == list(LEVELS)
    assert told["expected_return"] == RETURN.derived(said.values)["expected_return"][1]


# Baselines


def test_baselines_are_at_their_best(stormy: Samples, calm: Samples) -> None:
    for samples in (stormy, calm, planted(stormy)):
        fold = CUT.split(samples)[-1]
        for baseline in RETURN.baselines.values():
            require_best_chances(baseline, samples, fold)


def test_a_handicapped_baseline_is_found(stormy: Samples) -> None:
    def half(train: Rows, test: Rows) -> Forecasts:
        return Forecasts(RETURN, 0.5 * RETURN.baselines["zero"](train, test).values)

    with pytest.raises(Leak, match="a baseline must be at its best"):
        require_best_chances(half, stormy, CUT.split(stormy)[-1])


def test_baselines_follow_volatility_where_it_moves(stormy: Samples, calm: Samples) -> None:
    for samples, moves in ((stormy, True), (calm, False)):
        fold = CUT.split(samples)[-1]
        train, test = samples.take(fold.train), samples.take(fold.test)
        for name, baseline in RETURN.baselines.items():
            values = baseline(train, test).values
            assert (np.ptp(values[:, 0]) > 1e-6) == moves, name
            wanted = {"zero": 0.0, "mean": train.truth.mean()}
            if name in wanted:
                assert expected(values) == pytest.approx(np.full(len(test), wanted[name]))


def test_the_zero_expert_is_its_baseline(stormy: Samples, calm: Samples) -> None:
    for samples in (stormy, calm):
        fold = CUT.split(samples)[-1]
        train, test = samples.take(fold.train), samples.take(fold.test)
        expert = EXPERTS.get(RETURN.zero)()
        answer = expert.forecast(expert.fit(train, RETURN.head), test)
        wanted = RETURN.baselines[RETURN.zero](train, test).values
        assert answer == pytest.approx(wanted, abs=1e-12)


# Conformal quantiles


def test_whatever_is_said_covers_what_it_says_in_calm_and_storm(stormy: Samples) -> None:
    bad = Constant(np.linspace(-0.1, 0.3, 9), RETURN.head)
    train, test = stormy.take(np.arange(4000)), stormy.take(np.arange(4000, len(stormy)))
    model = Conformal(SCALE, 0.5).fit(lambda _: bad, train, RETURN.head)
    assert_covers(test.answers(1, model.forecast), test)


def assert_covers(values: Floats, rows: Samples) -> None:
    """88 to 92 % of nine in ten, and alike in the terciles of volatility."""
    inside = (values[:, 0] <= rows.truth) & (rows.truth <= values[:, 8])
    assert 0.88 <= inside.mean() <= 0.92
    assert spread_of(inside, rows) <= 0.04


def spread_of(inside: np.ndarray, rows: Samples) -> float:
    """Between the tercile of volatility that is covered best, and the worst."""
    order = np.argsort(rows.column(SCALE), kind="stable")
    return float(np.ptp([inside[part].mean() for part in np.array_split(order, 3)]))


def test_what_is_not_scaled_does_not_hold_in_storms(stormy: Samples) -> None:
    rows = stormy.take(np.arange(4000, len(stormy)))
    plain = np.quantile(stormy.truth[:4000], LEVELS)
    inside = (plain[0] <= rows.truth) & (rows.truth <= plain[8])
    assert spread_of(inside, rows) > 0.06


@pytest.mark.parametrize(("crossing", "power"), [(False, 1.0), (True, 1.0), (True, 0.7)])
def test_a_scaled_model_read_back_answers_and_explains_alike(
    stormy: Samples, crossing: bool, power: float
) -> None:
    trees = EXPERTS.get("xgboost")(rounds=30, learning_rate=0.3)
    scaled = stormy.with_truth(stormy.truth / 0.015)
    inner: Model = trees.fit(scaled, RETURN.head)
    moved = np.linspace(0.3, -0.3, 9) if crossing else np.zeros(9)
    model = Scaled(inner, moved, stormy.features.index(SCALE), 0.01, RETURN.head, power)
    again = read(model.files(), RETURN.head)
    values = stormy.windows(1)[::50].copy()
    values[::3, :, stormy.features.index(SCALE)] = np.nan
    found = model.forecast(values)
    RETURN.head.require(found)
    np.testing.assert_allclose(again.forecast(values), found, rtol=1e-6)
    why = again.explain(values, values[1])
    assert why is not None
    np.testing.assert_allclose(RETURN.head.from_scores(why.sum(axis=2)), found, atol=1e-6)


# Markets


def walked(samples: Samples, name: str) -> tuple[Evidence, Mapping[str, Forecasts]]:
    require_horizon(samples, 1)
    folds = CUT.split(samples)
    experts = {n: EXPERTS.get(n)(**DEMO.fixed.get(n, {})) for n in (name, RETURN.zero)}
    walks = {n: walk(Learner(one, RETURN), samples, folds) for n, one in experts.items()}
    found = gather(walks, samples, folds)[name]
    return found, {n: one.forecasts for n, one in walks.items()}


def contest(samples: Samples, ours: Forecasts, theirs: Forecasts) -> str:
    rows = samples.take(asked(CUT.split(samples)))
    found = compare(ours, theirs, rows.truth, rows.sessions)
    return decide(Parties("storms", "return_1", "a", "b", 1), found, Rules()).outcome


@EACH
def test_what_goes_on_is_foretold(name: str, stormy: Samples) -> None:
    samples = planted(stormy)
    found, answers = walked(samples, name)
    for baseline in RETURN.baselines:
        assert found.beside[baseline]["pinball"].high < 0, baseline
        assert found.beside[baseline]["r2"].low > 0, baseline
    require_plausible(found, "")
    assert contest(samples, answers[name], answers[RETURN.zero]) == PROMOTED


@EACH
def test_noise_promotes_nobody(name: str, calm: Samples) -> None:
    found, answers = walked(calm, name)
    assert found.own["r2"].value < 0.005
    assert contest(calm, answers[name], answers[RETURN.zero]) == KEPT


@EACH
def test_intervals_hold_in_calm_and_storm(name: str, stormy: Samples) -> None:
    _, answers = walked(stormy, name)
    assert_covers(answers[name].values, stormy.take(asked(CUT.split(stormy))))


@EACH
@pytest.mark.parametrize("storm", [False, True])
def test_intervals_widen_within_sessions_of_a_break(name: str, storm: bool) -> None:
    broken = 500
    samples = market(storm, broken, 700)
    days = np.unique(samples.sessions)
    first = days[-200]  # the label of the last session but one is settled by the last
    train = samples.take((samples.sessions < first) & (samples.settled_at < first))
    after = (samples.sessions >= first) & (samples.sessions < first + np.timedelta64(84, "D"))
    test = samples.take(after)
    assert np.std(test.truth) > 1.6 * np.std(train.truth)
    expert = EXPERTS.get(name)(**DEMO.fixed.get(name, {}))
    values = expert.forecast(expert.fit(train, RETURN.head), test)
    inside = (values[:, 0] <= test.truth) & (test.truth <= values[:, 8])
    assert inside.mean() >= 0.80
    usual = np.quantile(train.truth, (0.05, 0.95))
    assert np.mean((usual[0] <= test.truth) & (test.truth <= usual[1])) < 0.70


def test_a_feature_that_knows_the_truth_is_too_good(stormy: Samples) -> None:
    values = stormy.history.values.copy()
    values[stormy.rows, stormy.features.index("return_1")] = stormy.truth
    leaking = replace(stormy, history=replace(stormy.history, values=values))
    found, _ = walked(leaking, "quantile_trees")
    with pytest.raises(LeakUntilExplained, match="an R2 of"):
        require_plausible(found, "")


def test_what_cannot_be_learnt_from_is_named(stormy: Samples) -> None:
    made = storms.matrix(False, 2, 200)
    bare = from_matrix(made, ("return_1",))
    for name in ("unconditional", "quantile_trees"):
        with pytest.raises(TrainingError, match="name a view that has it in the recipe"):
            EXPERTS.get(name)().fit(bare, RETURN.head)


def test_any_levels_can_be_asked_for(stormy: Samples) -> None:
    head = Quantiles((0.01, 0.05))
    for name in ("unconditional", "quantile_trees", "xgboost"):
        expert = EXPERTS.get(name)()
        found = expert.forecast(expert.fit(stormy, head), stormy)
        below = (stormy.truth[:, None] < found).mean(axis=0)
        assert below == pytest.approx(np.array(head.levels), abs=0.012), name
