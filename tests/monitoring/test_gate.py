"""What the gate makes of what it finds, and how releases stand in the ledger."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf

import httpx
import numpy as np
import postgres as launcher
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.release.rollout import HOLD, PROMOTE, ROLLBACK, STEPS, Rollout
from contracts.store import StoreUnavailable
from monitoring.release import losses, traffic
from monitoring.release.check import FAIL, NO_DATA, PASS, Check, collected, table
from monitoring.release.gate import decided
from monitoring.release.traffic import Prometheus, Traffic

NOW = datetime(2025, 7, 2, tzinfo=UTC)
RELEASE = Rollout(
    *("d1", "r1", "sim20", "trend_1", "b" * 64, "finpulse-sim20-trend_1", 2, "a" * 64),
    *("shadow", 0.0, "BEGIN", "because", "manual", NOW),
)
GOOD, BAD = Check("one", PASS, "< 1"), Check("two", FAIL, "< 1", 0.0, 2.0, "2 is too much")
UNKNOWN = Check("three", NO_DATA, "< 1", why="nobody asked")
SOON, LATE = timedelta(minutes=1), timedelta(hours=25)


@pytest.mark.parametrize(
    ("found", "since", "verdict", "reason"),
    [
        ([GOOD], SOON, PROMOTE, "all 1 checks passed"),
        ([GOOD, UNKNOWN], SOON, HOLD, "three: nobody asked"),
        ([GOOD, UNKNOWN], LATE, ROLLBACK, "no data within 24 h"),
        ([GOOD], LATE, PROMOTE, "all"),
        ([GOOD, UNKNOWN, BAD], SOON, ROLLBACK, "two: 2 is too much"),
    ],
)
def test_what_fails_goes_and_what_is_not_known_waits(
    found: Sequence[Check], since: timedelta, verdict: str, reason: str
) -> None:
    step = decided(RELEASE, found, since, since is LATE)
    assert step.verdict == verdict and step.reason.startswith(reason)
    where = {PROMOTE: STEPS[1], HOLD: STEPS[0], ROLLBACK: ("out", 0.0)}[verdict]
    assert (step.stage, step.share) == where
    assert [one["name"] for one in step.numbers["checks"]] == [one.name for one in found]


def test_each_step_leads_to_the_next_and_the_last_into_office() -> None:
    for here, there in pairwise(STEPS):
        standing = replace(RELEASE, stage=here[0], share=here[1])
        step = decided(standing, [GOOD], SOON, False)
        assert (step.stage, step.share) == there
    assert STEPS[-1] == ("office", 1.0)


def test_the_table_names_every_check_and_why_it_failed() -> None:
    lines = list(table([GOOD, BAD, UNKNOWN]))
    assert len(lines) == 4 and lines[0].split() == [
        *("check", "champion", "challenger", "limit", "result")
    ]
    assert lines[2].endswith("fail  2 is too much")


def test_a_check_that_breaks_is_no_data_and_hides_no_failure() -> None:
    def asked(error: Exception) -> Iterator[Check]:
        yield BAD
        raise error

    found = collected(asked(KeyError("p_up")))
    assert [one.result for one in found] == [FAIL, NO_DATA] and "KeyError" in found[1].why
    assert decided(RELEASE, found, SOON, False).verdict == ROLLBACK
    assert decided(RELEASE, found[1:], SOON, False).verdict == HOLD
    with pytest.raises(StoreUnavailable):
        collected(asked(StoreUnavailable("the ledger is away")))


def seen(
    champion: float = 1000, challenger: float = 300, failed: float = 0, slow: float = 0
) -> Traffic:
    """slow: answers of the challenger that took between 10 and 25 ms; all others took 1 at most."""
    answers = {
        "champion": {"answered": champion},
        "challenger": {"answered": challenger, "failed": failed},
    }
    quick = challenger + failed - slow
    times = {
        "champion": {0.001: champion, 0.01: champion, 0.025: champion, inf: champion},
        "challenger": {0.001: quick, 0.01: quick, 0.025: quick + slow, inf: quick + slow},
    }
    return Traffic(answers, times)


@pytest.mark.parametrize(
    ("told", "results"),
    [
        (seen(), [PASS, PASS, PASS]),
        (seen(challenger=199), [NO_DATA, NO_DATA, NO_DATA]),
        (seen(champion=10), [NO_DATA, NO_DATA, NO_DATA]),
        (seen(failed=30), [PASS, FAIL, PASS]),
        (seen(challenger=20, failed=3), [NO_DATA, FAIL, NO_DATA]),
        (seen(slow=3), [PASS, PASS, PASS]),
        (seen(slow=6), [PASS, PASS, PASS]),
        (seen(slow=15), [PASS, PASS, FAIL]),
        (seen(slow=300), [PASS, PASS, FAIL]),
        (Traffic(why="no Prometheus"), [NO_DATA, NO_DATA, NO_DATA]),
        (Traffic(), [NO_DATA, NO_DATA, NO_DATA]),
    ],
)
def test_callers_decide_when_there_are_enough_of_them(told: Traffic, results: list[str]) -> None:
    assert [one.result for one in traffic.checks(told, 200)] == results


def test_the_slowest_in_a_hundred_is_read_as_prometheus_reads_it() -> None:
    told = Traffic(times={"champion": {0.001: 90.0, 0.01: 100.0, inf: 100.0}})
    assert told.slowest("champion") == pytest.approx(0.001 + 0.9 * 0.009)
    assert np.isnan(told.slowest("challenger"))
    beyond = Traffic(times={"champion": {0.001: 90.0, 0.01: 95.0, inf: 100.0}})
    assert beyond.slowest("champion") == 0.01, "the last bound that is known"


def test_a_prometheus_that_is_away_or_refuses_is_no_data() -> None:
    for server in (Prometheus(""), Prometheus(f"http://127.0.0.1:{launcher.free_port()}")):
        found = traffic.traffic(server, RELEASE, 60)
        assert found.why and [one.result for one in traffic.checks(found, 1)] == [NO_DATA] * 3


@pytest.mark.parametrize(
    "told",
    [
        "<html>",
        "[]",
        '"busy"',
        "null",
        '{"status": "success"}',
        '{"status": "success", "data": {"resultType": "scalar", "result": [1, "2"]}}',
        '{"status": "success", "data": {"result": [{"metric": {}, "value": [1, "2"]}]}}',
        '{"status": "success", "data": {"result": [{"metric": {"arm": "champion"}}]}}',
        '{"status": "success", "data": {"result": [{"metric": {}, "value": [1, "many"]}]}}',
        '{"status": "success", "data": {"result": [{"metric": {}, "value": [1, "NaN"]}]}}',
        '{"status": "success", "data": {"result": []}, "warnings": ["one store is away"]}',
    ],
)
def test_what_is_no_answer_of_prometheus_is_no_data(
    monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    def page(*_: object, **__: object) -> httpx.Response:
        return httpx.Response(200, text=told)

    monkeypatch.setattr(httpx, "get", page)
    found = traffic.traffic(Prometheus("http://x"), RELEASE, 60)
    assert "http://x" in found.why
    assert [one.result for one in traffic.checks(found, 1)] == [NO_DATA] * 3


@given(st.lists(st.sampled_from([0.001, 0.01, 0.025, 2.5, inf]), unique=True), st.integers(0, 500))
def test_of_a_part_of_its_times_nothing_is_concluded(bounds: list[float], slow: int) -> None:
    whole = seen()
    counts = {bound: 300.0 if bound == inf else float(300 - slow) for bound in bounds}
    part = Traffic(whole.answers, {"champion": whole.times["champion"], "challenger": counts})
    if inf not in bounds:
        assert traffic.checks(part, 200)[2].result == NO_DATA


@pytest.mark.parametrize("horizon", [1, 5])
def test_an_equal_challenger_is_seldom_taken_for_a_worse_one(horizon: int) -> None:
    random, runs, wrong = np.random.default_rng(1), 2_000, 0
    sessions = np.repeat(np.arange(38).astype("datetime64[D]"), 3)
    for _ in range(runs):
        # Labels of five sessions share them: what is said of one is said of its neighbours.
        days = np.convolve(random.normal(size=37 + horizon), np.ones(horizon), "valid")
        noise = np.repeat(days, 3) + random.normal(size=len(sessions))
        mean, chance = losses.excess(noise, sessions, horizon)
        wrong += mean > 0 and chance < losses.LEVEL
    assert wrong / runs < 2.5 * losses.LEVEL


def test_a_difference_that_is_always_the_same_is_a_bias() -> None:
    sessions = np.arange(20).astype("datetime64[D]")
    assert losses.excess(np.full(20, 0.25), sessions, 1) == (0.25, 0.0)
    assert losses.excess(np.full(20, -0.25), sessions, 1) == (-0.25, 1.0)
    assert losses.excess(np.zeros(20), sessions, 1) == (0.0, 1.0)
    assert losses.excess(np.full(20, 0.25), sessions, 20) == (0.25, 1.0), "one label tells no error"
