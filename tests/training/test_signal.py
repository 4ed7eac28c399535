"""The objective of signals: its utility by the formula written out again, and its baselines."""

from dataclasses import replace

import numpy as np
import pytest
import regimes
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from contracts.champion import PROMOTED
from training.evidence.decision import Parties, Rules, compare, decide
from training.evidence.guards import require_best_chances
from training.evidence.score import tally
from training.experts.gate import Joined, luck
from training.forecast import Floats
from training.gate import GATES
from training.objective import ABSTAIN, BUY, HOLD, SELL, Forecasts
from training.objectives.signal import HORIZON, Signal, factor, utilities
from training.samples.folds import WalkForward
from training.samples.samples import Samples, TrainingError

SIGNAL = Signal()
# Dual confirmation asks for two forecasters of classes.
MODES = [name for name in GATES.names() if name != "dual"]


def said(*rows: tuple[float, float, float]) -> Forecasts:
    return Forecasts(SIGNAL, np.array(rows))


def test_the_utility_is_that_of_its_formula() -> None:
    # Half of the whole, 2 % up: 1 % gained, 5 basis points of costs, 1.5 * 0.01 squared of risk.
    [found] = utilities(np.array([0.5]), np.array([0.02]))
    assert found == pytest.approx(1e4 * (0.01 - 0.0005 - 0.00015) / 5)
    assert (utilities(np.zeros(3), np.array([0.1, -0.1, 0.0])) == 0).all()


def test_costs_and_turnover_are_shown() -> None:
    days = np.array(["2025-01-02", "2025-01-03"], "datetime64[D]")
    found = tally(said((0.3, 0.5, 0), (-0.3, -1.0, 0)), np.array([0.02, 0.01]), days).scores()
    assert found["turnover"][0] == pytest.approx((0.2 + 0.4) / 2)
    assert found["net_return"][0] == pytest.approx(1e4 * (0.01 - 0.0005 - 0.01 - 0.001) / 2 / 5)


def test_the_word_is_that_of_what_is_held() -> None:
    found = SIGNAL.signals(said((0.2, 0.1, 0), (-0.2, -0.1, 0), (0.2, 0, 0), (0, 0, 1)), {})
    assert found == [BUY, SELL, HOLD, ABSTAIN]


@given(seed=st.integers(0, 10**6), bias=st.floats(-0.05, 0.05))
def test_the_factor_is_the_best_there_is(seed: int, bias: float) -> None:
    random = np.random.default_rng(seed)
    held = random.uniform(-0.3, 0.3, 60)
    returns = bias * np.sign(held) + 0.03 * random.normal(size=60)

    def lost(x: float) -> float:
        return -float(utilities(np.clip(x * held, -1, 1), returns).sum())

    tried = [minimize_scalar(lost, bounds=(0, b), method="bounded").fun for b in (1, 10, 100)]
    best = min(0.0, *tried)
    assert lost(factor(held, returns)) <= best + 0.02 * abs(best) + 1e-9


def test_baselines_are_at_their_best() -> None:
    made = regimes.made(effect=0.02)
    fold = WalkForward(count=2).split(made.samples)[-1]
    for baseline in SIGNAL.baselines.values():
        require_best_chances(baseline, made.samples, fold)
    train, test = made.samples.take(fold.train), made.samples.take(fold.test)
    answer = SIGNAL.baselines["equal_weights"](train, test).values
    trend = test.column("trend.p_up") - test.column("trend.p_down")
    usual = np.median(train.column("storm.volatility"))
    storm = np.tanh(np.log(usual / test.column("storm.volatility")))
    assert answer[:, 0] == pytest.approx((trend + storm) / 2, abs=1e-6)
    assert (np.sign(answer[:, 1]) == np.sign(answer[:, 0])).mean() > 0.99


def test_on_noise_little_is_held() -> None:
    held: list[Floats] = []
    for seed in range(6):
        made = regimes.made(effect=0.0, seed=seed)
        held.append(np.abs(Joined().fit(made.samples, SIGNAL.head).forecast(made.windows)[:, 1]))
    assert np.median([x.mean() for x in held]) < 0.02, [x.mean() for x in held]


def test_luck_is_measured_between_spans() -> None:
    random = np.random.default_rng(0)
    days = np.repeat(np.arange(240), 5)
    # Rows of one session move together: independent rows would have an error of a fifth of it.
    means, errors = zip(
        *(luck(np.repeat(random.normal(size=240), 5), days) for _ in range(200)), strict=True
    )
    assert np.std(means) == pytest.approx(np.mean(errors), rel=0.2)


def test_who_gains_too_much_is_doubted() -> None:
    assert SIGNAL.implausible({"net_return": 25.0}).startswith("25.0 basis points per session")
    assert SIGNAL.implausible({"net_return": 5.0}) == ""


# Whom to listen to in which regime


@pytest.fixture(scope="module")
def planted() -> regimes.Regimes:
    return regimes.made(effect=0.02)


def test_the_volatility_part_weighs_more_in_the_storm_where_that_is_planted(
    planted: regimes.Regimes,
) -> None:
    found = regimes.fitted(planted)
    weights = found.gate.combine(found.parameters, found.heard(planted.windows)).weights
    [storm] = [i for i, part in enumerate(found.joined) if part.name == "storm"]
    calm, turbulent = (weights[planted.turbulent == on, storm].mean() for on in (False, True))
    assert found.parameters["shrinkage"] < 1.0
    assert turbulent > 0.7 and calm < 0.4, (calm, turbulent)
    # And a gate that knows the regime earns more than equal weights and than one that does not.
    gain = regimes.gain(planted)
    mixed = regimes.gain(planted.permuted())
    assert gain.low > 0, gain
    assert mixed.value < gain.value / 4 and mixed.low <= 0, mixed


def test_on_noise_a_gate_is_no_better_than_equal_weights() -> None:
    sure = 0
    for seed in range(8):
        found = regimes.gain(regimes.made(effect=0.0, seed=seed))
        sure += found.low > 0
    assert sure <= 1


def test_the_expert_refuses_rows_without_parts(samples: Samples) -> None:
    with pytest.raises(TrainingError, match="expected parts for the gate to join"):
        Joined().fit(samples, SIGNAL.head)


@pytest.mark.parametrize("mode", MODES)
def test_every_gate_is_an_expert(mode: str, planted: regimes.Regimes) -> None:
    head = SIGNAL.head
    found = Joined(mode).fit(planted.samples, head)
    again = type(found).read(found.files(), head)
    answers = found.forecast(planted.windows)
    head.require(answers)
    assert (again.forecast(planted.windows) == answers).all()
    [ground] = again.grounds(planted.windows[:1])
    assert set(ground) == {"mode", "weights", "entropy", "inputs", "reason", "notices"}
    assert ground["mode"] == mode and set(ground["weights"]) == {"trend", "storm"}
    without: Floats = planted.windows.copy()
    without[:, :, planted.samples.features.index("storm.volatility")] = np.nan
    [told] = again.grounds(without[:1])
    assert told["notices"] == ["without storm, which says nothing"]
    assert told["weights"]["storm"] == 0 and told["inputs"]["storm"] is None
    head.require(again.forecast(without))


# Contests on markets of noise, and of a planted effect


def promoted(effect: float, seed: int) -> bool:
    """Whether a gate takes office from who always holds, on sessions that it has not seen."""
    made = regimes.made(effect, seed, sessions=640, instruments=8)
    days = np.unique(made.samples.sessions)
    late = made.samples.sessions > days[-400]
    known = made.samples.settled_at <= made.samples.as_of[late].min()
    gate = Joined().fit(made.samples.take(known & ~late), SIGNAL.head)
    asked = made.samples.take(late)
    ours = Forecasts(SIGNAL, gate.forecast(asked.windows(1)))
    theirs = Forecasts(SIGNAL, np.zeros((len(asked), 3)))
    found = compare(ours, theirs, asked.truth, asked.sessions)
    parties = Parties("sim", "signal", "gate", "hold", seed)
    return decide(parties, replace(found, overlap=HORIZON), Rules()).outcome == PROMOTED


@pytest.mark.slow
def test_noise_seldom_takes_office_and_an_effect_does() -> None:
    noise = [promoted(0.0, seed) for seed in range(200)]
    planted = [promoted(0.015, seed) for seed in range(50)]
    print(f"noise {np.mean(noise):.1%} of 200, planted {np.mean(planted):.0%} of 50")
    assert np.mean(noise) <= 0.05 and np.mean(planted) >= 0.8
