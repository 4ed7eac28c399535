"""Who may take office, and how often luck would."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.champion import KEPT, PROMOTED
from training.evidence.decision import Comparison, Decision, Parties, Rules, decide
from training.objectives.trend import Trend

PARTIES = Parties("sim", "trend_1", "challenger", "champion", 3)
RULES = Rules()
DIRECTION, LOG_LOSS = Trend.judged


def losses(gain: float, sessions: int = 100, seed: int = 0, noise: float = 0.2) -> Comparison:
    random = np.random.default_rng(seed)
    champion = 1.0 + random.normal(0, 0.3, sessions * 10)
    challenger = champion - gain + random.normal(0, noise, sessions * 10)
    days = np.repeat(np.arange(sessions), 10).astype("datetime64[D]")
    return Comparison(DIRECTION, challenger, champion, days)


def test_a_better_challenger_takes_office() -> None:
    decision = decide(PARTIES, losses(0.05), RULES)
    assert decision.outcome == PROMOTED
    assert decision.low < decision.gain < decision.high
    found = losses(0.05)
    assert decision.gain == pytest.approx(found.champion.mean() - found.challenger.mean())


def test_equal_models_never_swap() -> None:
    decision = decide(PARTIES, losses(0.0, noise=0.0), RULES)
    assert (decision.outcome, decision.gain, decision.p_value) == (KEPT, 0.0, 1.0)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (losses(0.05, sessions=39), "39 sessions are fewer than 40"),
        (losses(0.0005, noise=0.0), "below the margin"),
        (losses(-0.05), "below the margin"),
        (losses(0.03, noise=1.0, seed=0), "is unsure"),
        (losses(0.05, sessions=0), "no session is newer than both"),
        (replace(losses(0.05), others=[(LOG_LOSS, 1.01, 1.0)]), "log loss is larger by 0.01000"),
    ],
)
def test_doubt_keeps_the_champion(found: Comparison, reason: str) -> None:
    decision = decide(PARTIES, found, RULES)
    assert decision.outcome == KEPT
    assert decision.reason.startswith("no decision") and reason in decision.reason


@pytest.mark.slow
@pytest.mark.parametrize("sessions", [40, 120, 400])
def test_of_equal_models_one_contest_in_ten_is_below_a_tenth(sessions: int) -> None:
    found = [decide(PARTIES, losses(0.0, sessions, seed), RULES) for seed in range(400)]
    # A tenth of 400 is 40, its deviation 6; 0.05 / 2 are spent at once: 10, its deviation 3.
    assert 22 < sum(decision.p_value < 0.1 for decision in found) < 58
    assert sum(decision.outcome == PROMOTED for decision in found) < 20
    held = sum(decision.low <= 0 <= decision.high for decision in found)
    assert 0.92 * 400 < held < 0.98 * 400


def held(weeks: int, gain: float = 0.0, seed: int = 0, step: int = 5) -> list[Decision]:
    """Contests of one incumbent, week after week, each challenger on the newest 100 sessions."""
    random = np.random.default_rng(seed)
    whole = gain + random.normal(0, 0.02, 100 + step * weeks)
    found: list[Decision] = []
    for week in range(weeks):
        gains = whole[step * week : step * week + 100]
        days = np.arange(step * week, step * week + 100).astype("datetime64[D]")
        compared = Comparison(DIRECTION, -gains, np.zeros(100), days)
        found.append(
            decide(Parties("sim", "trend_1", f"c{week}", "zero", week), compared, RULES, found)
        )
    return found


def test_each_session_counts_once() -> None:
    found = held(6)
    assert [d.all_sessions for d in found] == [100, 105, 110, 115, 120, 125]
    assert [len(d.counted) for d in found] == [100, 5, 5, 5, 5, 5]
    whole = np.random.default_rng(0).normal(0, 0.02, 130)[:125]
    assert found[-1].all_gain == pytest.approx(whole.mean())
    assert found[-1].gain == pytest.approx(whole[-100:].mean())


def test_earlier_contests_come_in_any_order_and_through_json() -> None:
    import orjson

    found = held(5)
    gains = np.random.default_rng(9).normal(0, 0.02, 100)
    days = np.arange(25, 125).astype("datetime64[D]")
    compared = Comparison(DIRECTION, -gains, np.zeros(100), days)
    parties = Parties("sim", "trend_1", "c", "zero", 9)
    wanted = decide(parties, compared, RULES, found)
    kept = [Decision.parse(orjson.loads(orjson.dumps(d.as_json()))) for d in reversed(found)]
    assert kept[::-1] == found
    assert decide(parties, compared, RULES, kept) == wanted


def test_a_contest_without_new_sessions_is_no_second_look() -> None:
    found = held(2, gain=0.003, seed=4)
    days = np.arange(5, 105).astype("datetime64[D]")
    best = Comparison(DIRECTION, np.full(100, -0.01), np.zeros(100), days)
    again = decide(Parties("sim", "trend_1", "best of many", "zero", 9), best, RULES, found)
    assert (again.all_sessions, again.counted) == (105, {})
    assert (again.all_p_value, again.all_level) == (found[-1].all_p_value, found[-1].all_level)
    assert again.p_value < 0.01 and again.outcome == KEPT
    assert "luck of looking often: over all 105 sessions of 3 contests" in again.reason


@pytest.mark.parametrize(
    ("new", "rules", "outcome"),
    [(21, RULES, PROMOTED), (21, replace(RULES, alone=0.0), KEPT), (0, RULES, KEPT)],
)
def test_who_learnt_what_others_could_not_know_is_not_charged_with_what_those_lost(
    new: int, rules: Rules, outcome: str
) -> None:
    before = held(8, gain=-0.02, step=21)
    last = 7 * 21 + 100
    days = np.arange(last + new - 84, last + new).astype("datetime64[D]")
    gains = 0.05 + np.random.default_rng(5).normal(0, 0.02, 84)
    compared = Comparison(DIRECTION, -gains, np.zeros(84), days)
    found = decide(Parties("sim", "trend_1", "new", "zero", 9), compared, rules, before)
    assert found.outcome == outcome and found.all_p_value > found.all_level
    assert found.alone_level == pytest.approx(rules.alone * new / 252)


def test_steady_luck_is_held_to_less_than_a_first_look() -> None:
    levels = [d.all_level for d in held(52)]
    assert levels[0] == pytest.approx(RULES.yearly * RULES.at_once, rel=0.02)
    assert max(levels) < 0.03


def test_a_decision_of_before_is_read_and_counts_nothing() -> None:
    before = {k: v for k, v in held(1)[0].as_json().items() if not k.startswith(("all_", "count"))}
    old = Decision.parse(before)
    assert (old.all_sessions, old.counted) == (0, {})
    assert decide(PARTIES, losses(0.05), RULES, [old]) == decide(PARTIES, losses(0.05), RULES)


def test_a_decision_that_knew_log_loss_alone_is_read() -> None:
    now = decide(PARTIES, replace(losses(0.05), others=[(LOG_LOSS, 1.01, 1.02)]), RULES)
    fields = {k: v for k, v in now.as_json().items() if k not in ("loss", "unit", "others")}
    before = fields | {"log_loss_challenger": 1.01, "log_loss_champion": 1.02}
    assert Decision.parse(before) == now
    assert now.metrics["log_loss_challenger"] == 1.01


def test_too_few_sessions_for_their_labels_say_so() -> None:
    found = decide(PARTIES, replace(losses(0.05, sessions=50), overlap=30), RULES)
    assert found.outcome == KEPT and "too few for labels that overlap so far" in found.reason
    assert (found.low, found.high) == (-np.inf, np.inf)
    assert found.as_json()["low"] is None and "low" not in found.metrics
    assert Decision.parse(found.as_json()) == found


def test_equal_contests_bear_one_name() -> None:
    decision = decide(PARTIES, losses(0.05), RULES)
    assert decision.promotion_id == decide(PARTIES, losses(0.05), RULES).promotion_id
    assert Decision.parse(decision.as_json()) == decision
    other = Parties("sim", "trend_1", "challenger", "champion", 4)
    assert decide(other, losses(0.05), RULES).promotion_id != decision.promotion_id
