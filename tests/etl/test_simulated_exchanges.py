"""Universes of other exchanges in one simulated market: own sessions, shared symbols."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from contracts.settings import Settings
from contracts.time.calendar import sessions
from contracts.universe import Universe, everything, universe
from etl.source import SOURCES, Request, SourceError

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def of_london(small: Settings) -> Callable[..., dict[str, list[dict[str, Any]]]]:
    """What the source brings of a universe of the London exchange."""

    def told(name: str = "london8", **span: date) -> dict[str, list[dict[str, Any]]]:
        about = universe(name)
        begin, end = SOURCES.get("simulated").extent(about, small, NOW)
        asked = Request(about, span.get("first", begin), span.get("last", end), NOW, small)
        rows: dict[str, list[dict[str, Any]]] = {}
        for table, frame in SOURCES.get("simulated").frames(asked):
            rows.setdefault(table, []).extend(frame.to_pylist())
        return rows

    return told


def test_a_universe_of_another_exchange_keeps_its_sessions_and_the_markets_opening(
    of_london: Any, small: Settings
) -> None:
    found, about = of_london(), universe("london8")
    begin, end = SOURCES.get("simulated").extent(about, small, NOW)
    assert {row["instrument_id"] for row in found["instruments"]} == set(about.symbols)
    here, there = (
        {bar["session"] for bar in found["bars"] if bar["instrument_id"] == name}
        for name in ("SIM001", "SIM001.XLON")
    )
    assert sorted(there) == sessions("XLON", begin, end)
    # On Easter Monday and the bank holiday of May New York traded.
    assert here - there == {date(2025, 4, 21), date(2025, 5, 5)}
    assert {row["universe"] for row in found["memberships"] if ":" not in row["universe"]} == {
        "london8"
    }


def test_a_symbol_of_two_universes_is_one_instrument(
    of_london: Any, ask: Any, small: Settings
) -> None:
    here = {name: frame.to_pylist() for name, frame in ask("simulated", small).items()}
    there = of_london()
    for table in ("instruments", "symbols", "bars", "actions", "headlines", "documents"):
        own, other = (
            [row for row in rows[table] if str(row.get("instrument_id") or row.get("native_id"))
             .split("-")[0] == "SIM001"]
            for rows in (here, there)
        )  # fmt: skip
        assert own == other, table
    assert here["observations"] == there["observations"], "one world, whoever asks"


def test_london_day_by_day_is_london_at_once(of_london: Any) -> None:
    # On 5 May London rested: what New York did then comes with London's next session.
    days = sessions("XLON", date(2025, 5, 1), date(2025, 5, 8))
    whole = of_london(first=days[0], last=days[-1])
    parts = [of_london(first=day, last=day) for day in days]
    for table in ("bars", "actions", "headlines", "headline_symbols", "documents", "observations"):
        rows = [row for part in parts for row in part[table]]
        assert sorted(map(str, rows)) == sorted(map(str, whole[table])), table
    held = [bar["session"] for bar in whole["bars"] if bar["instrument_id"] == "SIM001"]
    assert date(2025, 5, 5) in held and date(2025, 5, 5) not in days


@pytest.mark.parametrize("name", ["AAPL", "SIM1", "SIM001.", "sim001"])
def test_a_symbol_that_the_market_does_not_know_is_named(small: Settings, name: str) -> None:
    about = Universe("odd", "XLON", "GBP", (name,), everything("simulated"))
    asked = Request(about, date(2025, 6, 2), date(2025, 6, 30), NOW, small)
    with pytest.raises(SourceError, match=rf"unknown: the simulated market has no {name} \(odd\)"):
        list(SOURCES.get("simulated").frames(asked))
