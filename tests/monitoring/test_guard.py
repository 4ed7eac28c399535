"""After a release: the champion of before forecasts on, and comes back where a guard is lost."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import orjson
import postgres as launcher
import pyarrow as pa
import pytest
from market import Market
from typer.testing import CliRunner

from contracts import objects
from contracts.champion import Office, champion
from contracts.release.rollout import PROMOTE, Rollout, decisions
from contracts.settings import settings
from contracts.store import Store
from contracts.tables import OUTCOMES, PREDICTIONS
from contracts.time.calendar import last_sessions
from monitoring.__main__ import app
from monitoring.release.report import NotComparable
from training.office.staging import ReleaseRefused, Step, begin, take
from training.run.records import Fit

pytestmark = pytest.mark.integration

OFFICE = Office("sim20", "trend_1")
BEFORE, SAME, WORSE = (0.3, 0.4, 0.3), (0.301, 0.4, 0.299), (0.1, 0.3, 0.6)
DOWN, UP = 0, 2


@pytest.fixture
def released(
    store: Store, market: Market, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Rollout]:
    """Puts a bundle into office by a release; both forecast, and so many sessions are settled."""
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", f"http://127.0.0.1:{launcher.free_port()}")
    settings.cache_clear()

    def made(chances: tuple[float, ...], count: int = 60, **spoilt: Any) -> Rollout:
        now, days = datetime.now(UTC), last_sessions("XNYS", market.last, count)
        held, bundle = market.crown(store, BEFORE, 1), market.prior(chances)
        first = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", now)
        market.forecast(store, held, 1, days)
        rows = market.rows(bundle, 2, days)
        # What a release is about happens now, whatever the market's year.
        today = [row | {"session": now.date() + timedelta(days=1)} | spoilt for row in rows[-3:]]
        _record(store, rows)
        done = take(store, first, Step(PROMOTE, "office", 1.0, "all passed"), now)
        if spoilt:
            theirs = market.rows(held, 1, days)[-3:]
            both = [*today, *(row | {"session": today[0]["session"]} for row in theirs)]
            again = [r | {"prediction_id": r["prediction_id"][::-1], "snapshot": 8} for r in both]
            _record(store, again)
        _settle(store, days)
        return done

    return made


def _record(store: Store, rows: list[dict[str, Any]]) -> None:
    store.record(PREDICTIONS, pa.Table.from_pylist(rows, schema=PREDICTIONS.schema))


def _settle(store: Store, days: list[date]) -> None:
    """Truths that are up as often as down, the same for both sides' forecasts of a row."""
    rows = store.query("SELECT prediction_id, symbol, session FROM predictions").to_pylist()
    at = datetime.now(UTC)
    told = [
        {
            "prediction_id": row["prediction_id"],
            "label": Random(f"{row['symbol']} {row['session']}").choice((DOWN, UP)),
            "value": None,
            **{"version": 1, "total_return": 0.0, "delisted": False, "settled_at": at},
            **{"snapshot": 7, "recorded_at": at},
        }
        for row in rows
        if row["session"] in days
    ]
    store.record(OUTCOMES, pa.Table.from_pylist(told, schema=OUTCOMES.schema))


def held(store: Store) -> str:
    found = champion(store, OFFICE)
    assert found is not None
    return found.bundle


def test_a_sound_champion_stays_however_often_it_is_asked(
    store: Store, released: Callable[..., Rollout]
) -> None:
    release = released(SAME)
    for _ in range(2):
        asked = CliRunner().invoke(app, ["rollout"])
        assert (asked.exit_code, asked.output.split()[-1]) == (0, "PROMOTE"), asked.output
    assert held(store) == release.bundle and decisions(store, OFFICE)[0] == release


def test_a_champion_that_loses_more_leaves_at_once_and_nobody_is_staged_for_a_while(
    store: Store, market: Market, released: Callable[..., Rollout]
) -> None:
    release = released(WORSE)
    asked = CliRunner().invoke(app, ["rollout"])
    assert (asked.exit_code, asked.output.split()[-1]) == (1, "ROLLBACK"), asked.output
    assert held(store) == release.champion
    newest = decisions(store, OFFICE)[0]
    assert newest.stage == "out" and "settled direction loss" in newest.reason
    with pytest.raises(ReleaseRefused, match="cools down"):
        begin(store, OFFICE, Fit("", release.bundle, 2), "why", datetime.now(UTC))
    again = CliRunner().invoke(app, ["rollout", "--every-universe"])
    assert again.exit_code == 0 and held(store) == release.champion, "no turns"


def test_a_champion_whose_bundle_is_gone_is_out_though_nothing_else_can_be_asked_of_it(
    store: Store, released: Callable[..., Rollout]
) -> None:
    release = released(SAME)
    objects.remove(f"bundles/{release.bundle}")
    asked = CliRunner().invoke(app, ["rollout"])
    assert (asked.exit_code, asked.output.split()[-1]) == (1, "ROLLBACK"), asked.output
    assert held(store) == release.champion
    assert "golden rows" in decisions(store, OFFICE)[0].reason


@pytest.mark.parametrize("settled", (False, True))
def test_a_champion_whose_forecasts_are_none_is_out_within_one_evaluation(
    store: Store, released: Callable[..., Rollout], settled: bool
) -> None:
    none = {"p_up": float("nan"), "forecast": orjson.dumps({"p_up": None}).decode()}
    release = released(SAME, **none)
    if settled:
        _settle(store, [release.decided_at.date() + timedelta(days=1)])
    asked = CliRunner().invoke(app, ["rollout"])
    assert asked.exit_code == 1 and held(store) == release.champion
    assert "answers are sound" in decisions(store, OFFICE)[0].reason


@pytest.mark.parametrize(("chances", "word"), [(SAME, "PROMOTE"), (WORSE, "ROLLBACK")])
def test_what_it_is_backfilled_with_is_enough_to_condemn_it_at_the_first_evaluation(
    store: Store, released: Callable[..., Rollout], chances: tuple[float, ...], word: str
) -> None:
    # Too few for what may be looked at every day, which says nothing below forty.
    release = released(chances, count=30)
    asked = CliRunner().invoke(app, ["rollout"])
    assert asked.output.split()[-1] == word, asked.output
    assert (held(store) == release.bundle) == (word == "PROMOTE")


def test_a_champion_whose_files_were_changed_is_out(
    store: Store, released: Callable[..., Rollout]
) -> None:
    release = released(SAME)
    objects.put(f"bundles/{release.bundle}/prior.json", b"{}")
    asked = CliRunner().invoke(app, ["rollout"])
    assert asked.exit_code == 1 and held(store) == release.champion
    assert "golden rows" in decisions(store, OFFICE)[0].reason


def test_two_bundles_are_compared_by_their_beginnings(
    store: Store, released: Callable[..., Rollout]
) -> None:
    release = released(WORSE)
    pair = f"{release.bundle[:10]},{release.champion[:10]}"
    told = CliRunner().invoke(app, ["compare", "--bundles", pair])
    assert told.exit_code == 0 and told.output.splitlines()[-1].startswith("B is better")
    turned = ",".join(reversed(pair.split(",")))
    told = CliRunner().invoke(app, ["compare", "--bundles", turned])
    assert told.output.splitlines()[-1].startswith("A is better")
    for wrong in ("x", f"{release.bundle[:10]},nobody", f"{pair},{pair}"):
        assert CliRunner().invoke(app, ["compare", "--bundles", wrong]).exit_code != 0


def test_what_is_no_answer_is_not_compared_and_said_in_one_line(
    store: Store, released: Callable[..., Rollout]
) -> None:
    release = released(SAME, p_up=7.0)
    _settle(store, [release.decided_at.date() + timedelta(days=1)])
    pair = f"{release.bundle[:10]},{release.champion[:10]}"
    told = CliRunner().invoke(app, ["compare", "--bundles", pair])
    assert isinstance(told.exception, NotComparable) and "probabilities" in str(told.exception)
