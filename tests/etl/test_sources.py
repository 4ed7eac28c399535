"""What holds for every source that can be asked offline."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts.settings import Settings, settings
from contracts.tables import TABLES
from contracts.time.calendar import is_session, last_sessions, session_close
from contracts.universe import universe
from etl.source import SOURCES, Cause, SourceError, raw_schema, source

OFFLINE = ("files", "simulated")
LATER = date(2025, 12, 31)
# Which rows belong to the sessions of a range is told by this column.
DAY = {"bars": "session", "actions": "ex_date", "headlines": "known_at"}
DAY |= {"headline_symbols": "known_at", "documents": "known_at"}


@pytest.fixture
def given(folder: Any, small: Settings) -> Settings:
    """Settings under which every offline source has something to say."""
    return small


def test_every_source_is_tested_here_or_with_recorded_answers() -> None:
    own = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    assert set(SOURCES.names()) - set(OFFLINE) <= own


@pytest.mark.parametrize("name", OFFLINE)
def test_frames_fit_their_tables(name: str, given: Settings, ask: Any, load_raw: Any) -> None:
    frames = ask(name, given)
    assert set(frames) <= set(SOURCES.get(name).tables)
    assert {"instruments", "symbols", "memberships", "bars"} <= set(frames)
    for table, frame in frames.items():
        assert frame.schema.equals(raw_schema(TABLES[table]))
    assert load_raw(name, given).reasons == []


@pytest.mark.parametrize("name", OFFLINE)
def test_asking_twice_gives_the_same_rows(name: str, given: Settings, ask: Any) -> None:
    assert ask(name, given) == ask(name, given)


@pytest.mark.parametrize("name", OFFLINE)
def test_a_part_is_a_cut_of_the_whole(name: str, given: Settings, ask: Any) -> None:
    whole = ask(name, given)
    days = sorted(set(whole["bars"]["session"].to_pylist()))
    first, last = days[len(days) // 4], days[len(days) // 2]
    part = ask(name, given, first, last)
    after = session_close("XNYS", last_sessions("XNYS", first, 2)[0])
    bounds = {"known_at": (after + timedelta(microseconds=1), session_close("XNYS", last))}
    # The vintages of a value come with the first of them.
    assert part.get("observations", pa.table({})).num_rows <= 20
    for table, frame in whole.items():
        if table == "observations":
            continue
        low, high = bounds.get(DAY.get(table, ""), (first, last))
        rows = frame.to_pylist()
        if table in DAY:
            rows = [row for row in rows if low <= row[DAY[table]] <= high]
        assert part[table].to_pylist() == rows, table


@pytest.mark.parametrize("name", OFFLINE)
def test_nothing_is_known_before_it_happened(name: str, given: Settings, ask: Any) -> None:
    frames = ask(name, given)
    for table in ("bars", "headlines", "headline_symbols"):
        for row in frames[table].to_pylist():
            assert row["known_at"] >= row["event_time"]
    first = min(frames["bars"]["known_at"].to_pylist())
    for table in ("instruments", "symbols", "memberships"):
        assert max(frames[table]["known_at"].to_pylist()) < first


@pytest.mark.parametrize("name", OFFLINE)
def test_the_extent_is_what_is_delivered(name: str, given: Settings, ask: Any) -> None:
    first, last = SOURCES.get(name).extent(universe("", given), given, session_close("XNYS", LATER))
    found = ask(name, given)["bars"]["session"].to_pylist()
    assert (min(found), max(found)) == (first, last)
    assert is_session("XNYS", first) and is_session("XNYS", last)


@pytest.mark.parametrize("name", OFFLINE)
def test_only_a_made_market_reaches_past_its_extent(name: str, given: Settings) -> None:
    chosen, now = SOURCES.get(name), session_close("XNYS", LATER)
    first, last = chosen.extent(universe("", given), given, now)
    reached = LATER if chosen.made else last
    assert chosen.extent(universe("", given), given, now, through=LATER) == (first, reached)


@pytest.mark.parametrize("name", OFFLINE)
def test_a_weekend_is_closed(name: str, given: Settings, ask: Any) -> None:
    saturday = date(2025, 6, 28)
    with pytest.raises(SourceError) as raised:
        ask(name, given, saturday, saturday + timedelta(days=1))
    assert raised.value.cause is Cause.CLOSED


def test_a_table_that_was_not_declared_is_refused(ask: Any) -> None:
    def nothing(*_: object) -> Any:
        yield "drift", pa.table({})

    declare: Callable[..., Any] = source(
        "undeclared", origin="real", tables=("bars",), extent=lambda *_: (LATER, LATER)
    )
    try:
        declare(nothing)
        with pytest.raises(ValueError, match="without declaring it"):
            ask("undeclared", settings())
    finally:
        SOURCES._members.pop("undeclared")
