"""What the gate makes of what it finds, and how releases stand in the ledger."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import postgres as launcher
import pytest
from market import FLAT, STEEP, Market
from typer.testing import CliRunner

from contracts.champion import PROMOTED, SENTIMENT, Office, champion
from contracts.release.rollout import HOLD, PROMOTE, ROLLBACK, STEPS, Rollout, decisions, staged
from contracts.settings import settings
from contracts.store import Store
from monitoring.__main__ import app
from monitoring.export.gauges import state
from monitoring.release import losses, traffic
from monitoring.release.check import FAIL, NO_DATA, PASS, Check, table
from monitoring.release.gate import decided, evaluate, under_way
from monitoring.release.traffic import Prometheus, Traffic
from training.office.staging import ReleaseRefused, Step, begin, take
from training.run.records import Fit
from training.steps.promote import apply
from training.steps.zero import install_first

NOW = datetime(2025, 7, 2, tzinfo=UTC)
OFFICE = Office("sim20", "trend_1")
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
    step = decided(RELEASE, found, since)
    assert step.verdict == verdict and step.reason.startswith(reason)
    where = {PROMOTE: STEPS[1], HOLD: STEPS[0], ROLLBACK: ("out", 0.0)}[verdict]
    assert (step.stage, step.share) == where
    assert [one["name"] for one in step.numbers["checks"]] == [one.name for one in found]


def test_each_step_leads_to_the_next_and_the_last_into_office() -> None:
    for here, there in pairwise(STEPS):
        standing = replace(RELEASE, stage=here[0], share=here[1])
        step = decided(standing, [GOOD], SOON)
        assert (step.stage, step.share) == there
    assert STEPS[-1] == ("office", 1.0)


def test_the_table_names_every_check_and_why_it_failed() -> None:
    lines = list(table([GOOD, BAD, UNKNOWN]))
    assert len(lines) == 4 and lines[0].split() == [
        *("check", "champion", "challenger", "limit", "result")
    ]
    assert lines[2].endswith("fail  2 is too much")


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


def test_an_error_page_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def page(*_: object, **__: object) -> httpx.Response:
        return httpx.Response(502, text="<html>")

    monkeypatch.setattr(httpx, "get", page)
    assert "does not answer" in traffic.traffic(Prometheus("http://x"), RELEASE, 60).why


@pytest.mark.parametrize("horizon", [1, 5])
def test_an_equal_challenger_is_seldom_taken_for_a_worse_one(horizon: int) -> None:
    random, runs, wrong = np.random.default_rng(1), 2_000, 0
    sessions = np.repeat(np.arange(38).astype("datetime64[D]"), 3)
    for _ in range(runs):
        # Labels of five sessions share them: what is said of one is said of its neighbours.
        days = np.convolve(random.normal(size=37 + horizon), np.ones(horizon), "valid")
        noise = np.repeat(days, 3) + random.normal(size=len(sessions))
        mean, chance = losses._more(noise, sessions, horizon)
        wrong += mean > 0 and chance < losses.LEVEL
    assert wrong / runs < 2.5 * losses.LEVEL


def test_a_difference_that_is_always_the_same_is_a_bias() -> None:
    sessions = np.arange(20).astype("datetime64[D]")
    assert losses._more(np.full(20, 0.25), sessions, 1) == (0.25, 0.0)
    assert losses._more(np.full(20, -0.25), sessions, 1) == (-0.25, 1.0)
    assert losses._more(np.zeros(20), sessions, 1) == (0.0, 1.0)
    assert losses._more(np.full(20, 0.25), sessions, 20) == (0.25, 1.0), "one label tells no error"


def told(store: Store) -> dict[str, float]:
    """What the exporter says of the only office's releases."""
    families = {each.name: each.samples for each in state(store, NOW)}
    names = ("release_share", "release_rollbacks")
    known = {name: families[f"finpulse_{name}"] for name in names}
    return {name: samples[0].value for name, samples in known.items() if samples}


@pytest.fixture
def nobody_listens(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No MLflow: the ledger decides without it."""
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", f"http://127.0.0.1:{launcher.free_port()}")
    settings.cache_clear()
    yield


@pytest.mark.integration
@pytest.mark.usefixtures("nobody_listens")
class TestLedger:
    """Releases in a real ledger."""

    def test_one_release_of_a_universe_at_a_time(self, store: Store, market: Market) -> None:
        market.crown(store, FLAT, 1)
        bundle = market.prior(STEEP)
        first = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", NOW)
        assert staged(store) == [first] and first.champion != bundle.hash
        with pytest.raises(ReleaseRefused, match="--abort"):
            begin(store, OFFICE, Fit("", market.prior((0.2, 0.2, 0.6)).hash, 3), "why", NOW)
        take(store, first, Step(ROLLBACK, "out", 0.0, "not now"), NOW)
        assert staged(store) == []
        again = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", NOW)
        assert again.rollout_id != first.rollout_id
        with pytest.raises(ReleaseRefused, match="decided on meanwhile"):
            take(store, first, Step(HOLD, "shadow", 0.0, "late"), NOW)

    def test_a_release_is_exported_and_its_rollback_too(self, store: Store, market: Market) -> None:
        market.crown(store, FLAT, 1)
        assert told(store) == {"release_rollbacks": 0.0}
        first = begin(store, OFFICE, Fit("", market.prior(STEEP).hash, 2), "why", NOW)
        first = take(store, first, Step(PROMOTE, "canary", 0.1, "all passed"), NOW)
        assert told(store) == {"release_share": 0.1, "release_rollbacks": 0.0}
        take(store, first, Step(ROLLBACK, "out", 0.0, "not now"), NOW)
        assert told(store) == {"release_rollbacks": 1.0}

    def test_who_is_in_office_or_of_another_office_is_not_released(
        self, store: Store, market: Market
    ) -> None:
        held = market.crown(store, FLAT, 1)
        with pytest.raises(ReleaseRefused, match="in office already"):
            begin(store, OFFICE, Fit("", held.hash, 1), "why", NOW)
        other = market.prior(STEEP, target="trend_5", horizon=5)
        with pytest.raises(ReleaseRefused, match="trained for sim20/trend_5"):
            begin(store, OFFICE, Fit("", other.hash, 1), "why", NOW)

    def test_into_office_it_goes_as_promotions_do_and_once(
        self, store: Store, market: Market
    ) -> None:
        held = market.crown(store, FLAT, 1)
        bundle = market.prior(STEEP)
        first = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", NOW)
        done = take(store, first, Step(PROMOTE, "office", 1.0, "all passed"), NOW)
        found = champion(store, OFFICE)
        assert found is not None and found.bundle == bundle.hash
        rows = store.query("SELECT cause, previous_bundle FROM promotions ORDER BY number DESC")
        assert rows.to_pylist()[0] == {"cause": "canary", "previous_bundle": held.hash}
        assert decisions(store, OFFICE)[0] == done and not done.staged

    def test_nobody_is_put_aside_who_came_into_office_meanwhile(
        self, store: Store, market: Market
    ) -> None:
        market.crown(store, FLAT, 1)
        first = begin(store, OFFICE, Fit("", market.prior(STEEP).hash, 2), "why", NOW)
        other = market.crown(store, (0.31, 0.38, 0.31), 3)
        with pytest.raises(ReleaseRefused, match="in office no more"):
            take(store, first, Step(PROMOTE, "office", 1.0, "all passed"), NOW)
        found = champion(store, OFFICE)
        assert found is not None and found.bundle == other.hash

    def test_a_contests_winner_is_staged_where_releases_are(
        self, store: Store, market: Market, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held, bundle = market.crown(store, FLAT, 1), market.prior(STEEP)
        won: Any = SimpleNamespace(
            **{"office": OFFICE, "champion": held.hash, "challenger": bundle.hash},
            **{"outcome": PROMOTED, "promotion_id": "c1", "reason": "won", "as_json": dict},
        )
        monkeypatch.setenv("FINPULSE_RELEASE", "staged")
        settings.cache_clear()
        assert apply(store, won, Fit("soft", bundle.hash, 2), NOW) == 1
        [release] = staged(store)
        assert (release.bundle, release.rollout_id) == (bundle.hash, "c1")
        found = champion(store, OFFICE)
        assert found is not None and found.bundle == held.hash
        rows = store.query("SELECT decision, cause FROM promotions ORDER BY number DESC LIMIT 1")
        assert rows.to_pylist() == [{"decision": "staged", "cause": "contest"}]
        assert apply(store, won, Fit("soft", bundle.hash, 2), NOW) == 0
        assert len(decisions(store, OFFICE)) == 1, "a repeat begins nothing"
        other = SimpleNamespace(**vars(won) | {"promotion_id": "c2", "challenger": "x"})
        with pytest.raises(ReleaseRefused, match="no release under way"):
            apply(store, other, Fit("soft", market.prior((0.2, 0.2, 0.6)).hash, 3), NOW)
        rows = store.query("SELECT * FROM promotions WHERE promotion_id = 'c2'")
        assert rows.num_rows == 0, "it may be applied later"

    def test_who_reads_texts_is_staged_before_nobody(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install_first(store, SENTIMENT, Fit("vader", "vader-1", 1), NOW)
        monkeypatch.setenv("FINPULSE_RELEASE", "staged")
        settings.cache_clear()
        won: Any = SimpleNamespace(
            **{"office": SENTIMENT, "champion": "vader-1", "challenger": "tuned-1"},
            **{"outcome": PROMOTED, "promotion_id": "c1", "reason": "won", "as_json": dict},
        )
        assert apply(store, won, Fit("", "tuned-1", 2), NOW) == 1
        found = champion(store, SENTIMENT)
        assert found is not None and found.bundle == "tuned-1" and staged(store) == []

    def test_a_promotion_that_did_not_hold_cools_down(self, store: Store, market: Market) -> None:
        market.crown(store, FLAT, 1)
        bundle = market.prior(STEEP)
        first = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", NOW)
        done = take(store, first, Step(PROMOTE, "office", 1.0, "all passed"), NOW)
        market.crown(store, (0.31, 0.38, 0.31), 3)
        take(store, done, Step(ROLLBACK, "out", 0.0, "a guard was lost"), NOW)
        other = market.prior((0.2, 0.2, 0.6))
        with pytest.raises(ReleaseRefused, match="cools down until 2025-07-05"):
            begin(store, OFFICE, Fit("", other.hash, 4), "why", NOW + timedelta(hours=71))
        begin(store, OFFICE, Fit("", other.hash, 4), "why", NOW + timedelta(hours=73))

    def test_without_callers_it_holds_and_goes_at_the_deadline(
        self, store: Store, market: Market
    ) -> None:
        market.crown(store, FLAT, 1)
        bundle = market.prior((0.31, 0.38, 0.31))
        release = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", NOW)
        market.forecast(store, bundle, 2, market.sessions[-3:])
        found = evaluate(store, release, NOW + timedelta(hours=1))
        assert found.verdict == HOLD and "FINPULSE_PROMETHEUS_URL" in found.after.reason
        later = under_way(store, "sim20")
        assert evaluate(store, later, NOW + timedelta(hours=23)).verdict == HOLD
        gone = evaluate(store, under_way(store, "sim20"), NOW + timedelta(hours=25))
        assert gone.verdict == ROLLBACK and gone.after.reason.startswith("no data within 24 h")

    def test_another_champion_ends_the_release(self, store: Store, market: Market) -> None:
        market.crown(store, FLAT, 1)
        release = begin(store, OFFICE, Fit("", market.prior(STEEP).hash, 2), "why", NOW)
        market.crown(store, (0.31, 0.38, 0.31), 3)
        found = evaluate(store, release, NOW)
        assert found.verdict == ROLLBACK and "came into office meanwhile" in found.after.reason

    def test_a_person_who_chose_it_ends_the_release_in_office(
        self, store: Store, market: Market
    ) -> None:
        market.crown(store, FLAT, 1)
        bundle = market.prior(STEEP)
        release = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", NOW)
        market.promote(store, market.champion(bundle, 2))
        found = evaluate(store, release, NOW)
        assert (found.verdict, found.after.stage) == (PROMOTE, "office")

    def test_the_verb_says_the_word_last_and_the_shell_its_code(
        self, store: Store, market: Market
    ) -> None:
        ask = CliRunner().invoke
        assert "--begin BUNDLE" in str(ask(app, ["rollout"]).exception)
        assert ask(app, ["rollout", "--every-universe"]).output.split() == [
            *("0", "releases", "evaluated")
        ]
        market.crown(store, FLAT, 1)
        bundle = market.prior((0.31, 0.38, 0.31))
        assert ask(app, ["rollout", "--begin", bundle.hash]).exit_code == 0
        held = ask(app, ["rollout"])
        assert (held.exit_code, held.output.split()[-1]) == (75, "HOLD")
        assert "check" in held.output and "answers" in held.output
        ended = ask(app, ["rollout", "--abort", "not today"])
        assert ended.output.split()[-1] == "ROLLBACK"
        assert decisions(store, OFFICE)[0].reason == "not today"
        assert ask(app, ["rollout", "--begin", bundle.hash]).exit_code == 0
        market.crown(store, STEEP, 3)
        gone = ask(app, ["rollout", "--every", "0.1"])
        assert (gone.exit_code, gone.output.split()[-1]) == (1, "ROLLBACK")
