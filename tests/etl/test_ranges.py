"""Loaded session by session, in chunks or at once: the same facts, row for row."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner
from yahoo_server import Serve, chart

from contracts.settings import settings
from contracts.store import Store
from contracts.tables import TABLES
from contracts.time.amendments import stating
from contracts.time.calendar import session_close, sessions, timezone
from contracts.universe import universe
from etl.__main__ import app
from etl.folder.contents import contents
from etl.folder.trading_sessions import read
from etl.source import SOURCES, Request

FIRST, LAST = date(2024, 2, 29), date(2024, 3, 28)  # New York's clocks change, Easter follows
CALENDARS = {"NY": "XNYS", "IN": "XNSE", "BTC": "24/7"}
FACTS = ("trading_sessions", "instruments", "symbols", "memberships", "bars", "actions")
FACTS += ("headlines", "headline_symbols")


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on three calendars: bars of every session, weekend ex-dates, news at all hours."""
    folder = tmp_path / "three"
    folder.mkdir()
    bars = ["symbol,session,open,high,low,close,volume"]
    for symbol, name in CALENDARS.items():
        bars += [f"{symbol},{day},10,11,9,10,5" for day in sessions(name, FIRST, LAST)]
    bars += [f"IN,{day},10,11,9,10,5" for day in ("2024-03-02", "2024-03-30")]
    (folder / "bars.csv").write_text("\n".join([*bars, ""]))
    listed = [f"{symbol},{name}" for symbol, name in CALENDARS.items()]
    (folder / "instruments.csv").write_text("\n".join(["symbol,calendar", *listed, ""]))
    every = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    paid = [f"{s},{day},dividend,0.1" for s in CALENDARS for day in every]
    (folder / "actions.csv").write_text("\n".join(["symbol,ex_date,kind,value", *paid, ""]))
    (folder / "sessions.csv").write_text("calendar,session\nXNSE,2024-03-02\n")
    moments = [datetime(2024, 2, 29, tzinfo=UTC) + timedelta(hours=5 * n) for n in range(140)]
    news = [
        json.dumps({"id": f"n{n}", "published_at": at.isoformat(), "text": "x", "symbols": ["NY"]})
        for n, at in enumerate(moments)
    ]
    (folder / "headlines.jsonl").write_text("\n".join([*news, ""]))
    monkeypatch.setenv("FINPULSE_DATA", str(folder))
    monkeypatch.setenv("FINPULSE_SOURCE", "files")
    settings.cache_clear()
    return folder


def rows(found: list[dict[str, list[dict[str, Any]]]]) -> dict[str, list[str]]:
    """The distinct rows of several answers by table, in an order of their own."""
    return {
        table: sorted({repr(sorted(row.items())) for part in found for row in part.get(table, [])})
        for table in FACTS
    }


def asked(source: str, first: date, last: date, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    given = settings().model_copy(update=changes)
    frames: dict[str, list[pa.Table]] = {}
    now = datetime(2024, 6, 1, tzinfo=UTC)
    for table, frame in SOURCES.get(source).frames(
        Request(universe("three", given), first, last, now, given)
    ):
        frames.setdefault(table, []).append(frame)
    return {table: pa.concat_tables(parts).to_pylist() for table, parts in frames.items()}


@pytest.mark.parametrize("main", ["XNYS", "XNSE", "24/7", "XNZE"])
@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_ranges_of_a_folder_add_up_to_the_whole(three: Path, main: str, step: int) -> None:
    with stating(read(contents(three), main).told):
        days = sessions(main, FIRST, LAST)
    whole = asked("files", days[0], days[-1], calendar=main)
    chunks = [days[i : i + step] for i in range(0, len(days), step)]
    parts = [asked("files", part[0], part[-1], calendar=main) for part in chunks]
    assert rows(parts) == rows([whole])
    for table in ("bars", "actions", "headlines"):
        count = sum(len(part[table]) for part in parts)
        assert count == len(whole[table]), table  # each is owned once
    weekend = {row["session"] for row in whole["bars"] if row["instrument_id"] == "BTC"}
    assert {date(2024, 3, 9), date(2024, 3, 10)} <= weekend
    assert date(2024, 3, 9) in {row["ex_date"] for row in whole["actions"]}


def test_ranges_of_the_verb_hold_sessions_that_only_the_folder_knows(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contracts.__main__ import app as verbs

    monkeypatch.setenv("FINPULSE_CALENDAR", "XNSE")
    settings.cache_clear()
    words = ["ranges", "--first", str(FIRST), "--last", str(LAST), "--sessions", "1"]
    said = json.loads(CliRunner().invoke(verbs, words, catch_exceptions=False).stdout)
    parts = [asked("files", *map(date.fromisoformat, part.values())) for part in said]
    assert rows(parts) == rows([asked("files", FIRST, LAST)])
    days = {
        row["session"] for part in parts for row in part["bars"] if row["instrument_id"] == "IN"
    }
    assert date(2024, 3, 2) in days


def test_what_comes_after_the_last_close_is_the_next_sessions(three: Path) -> None:
    friday, monday = date(2024, 3, 15), date(2024, 3, 18)
    one, two = asked("files", friday, friday), asked("files", monday, monday)
    bars = [{(r["instrument_id"], r["session"].day) for r in part["bars"]} for part in (one, two)]
    assert ("BTC", 15) not in bars[0] and {("BTC", 15), ("BTC", 16), ("BTC", 17)} <= bars[1]
    assert {("NY", 15), ("IN", 15), ("BTC", 14)} == bars[0]
    for day, part in ((friday, one), (monday, two)):
        assert max(row["event_time"] for row in part["bars"]) <= session_close("XNYS", day)


def test_ranges_of_yahoo_add_up_to_the_whole(serve: Serve) -> None:
    kinds = {"NY": ("NMS", "XNYS"), "IN": ("NSI", "XNSE"), "BTC": ("CCC", "24/7")}

    def answers(path: str) -> tuple[int, str]:
        symbol = path.rsplit("/", 1)[-1]
        if "search" in path:
            kept = {"title": "x", "relatedTickers": ["NY"]}
            told = [
                kept | {"uuid": f"u{n}", "providerPublishTime": 1709200000 + n * 30_000}
                for n in range(80)
            ]
            return 200, json.dumps({"news": told})
        code, name = kinds[symbol]
        days = sessions(name, date(2024, 2, 20), LAST)
        hour = 15 if name == "XNYS" else 5
        opened = [datetime(d.year, d.month, d.day, hour, tzinfo=UTC) for d in days]
        body = json.loads(chart(symbol, [(at, 10.0, 5.0) for at in opened], {}))
        meta = body["chart"]["result"][0]["meta"]
        meta |= {"exchangeName": code, "exchangeTimezoneName": timezone(name)}
        meta["firstTradeDate"] = None  # then every range must give the same beginning
        seconds = [int(at.timestamp()) for at in opened]
        paid = {str(second): {"amount": 0.1, "date": second} for second in seconds}
        body["chart"]["result"][0]["events"] = {"dividends": paid}
        return 200, json.dumps(body)

    days = sessions("XNYS", FIRST, LAST)
    with serve(answers):
        whole = asked("yahoo", FIRST, LAST, symbols="NY,IN,BTC")
        parts = [asked("yahoo", day, day, symbols="NY,IN,BTC") for day in days]
    assert rows(parts) == rows([whole])
    assert len(whole["bars"]) == sum(len(part["bars"]) for part in parts) > 60


@pytest.mark.integration
def test_a_universe_on_three_calendars_is_loaded_by_the_day_as_at_once(
    three: Path, new_store: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verb(*words: str) -> None:
        done = CliRunner().invoke(app, [*words], catch_exceptions=False)
        assert done.exit_code == 0, done.output

    def facts(store: Store) -> dict[str, list[str]]:
        at = datetime(2030, 1, 1, tzinfo=UTC)
        found = {}
        for table in FACTS:
            frame = store.versions(TABLES[table], at, store.snapshot(), {}, TABLES[table].names)
            found[table] = sorted(repr(row) for row in frame.to_pylist())
        return found

    def loaded(ranges: list[tuple[date, date]]) -> dict[str, list[str]]:
        with new_store() as store:
            for first, last in ranges:
                steps = ("collect", "clean", "append")  # the gate has tests of its own
                for step in steps:
                    here = ("--in-process",) if step == "clean" else ()
                    verb(step, "--first", str(first), "--last", str(last), *here)
            return facts(store)

    days = sessions("XNYS", date(2024, 3, 7), date(2024, 3, 19))
    assert loaded([(day, day) for day in days]) == loaded([(days[0], days[-1])])
