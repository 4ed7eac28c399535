"""Yahoo's exchanges: each has a calendar whose clock is Yahoo's, or is refused by name."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from exchange_calendars import get_calendar_names
from yahoo_server import Serve, chart

from contracts.settings import settings
from contracts.time.calendar import session_close, timezone
from contracts.universe import universe
from etl.source import SOURCES, Cause, Request, SourceError
from etl.web.exchanges import CALENDARS, calendar_of

ZONES = {"GER": "Europe/Berlin", "NSI": "Asia/Kolkata", "BSE": "Asia/Calcutta", "CCC": "UTC"}
ZONES |= {
    "LSE": "Europe/London",
    "JPX": "Asia/Tokyo",
    "TLV": "Asia/Jerusalem",
    "BVC": "America/Bogota",
}
ZONES |= {"CMX": "America/New_York", "CCY": "Europe/London", "NMS": "America/New_York"}
ZONES |= {"DUS": "Europe/Berlin", "CPH": "Europe/Copenhagen", "JKT": "Asia/Jakarta"}

# A calendar takes a fifth of a second to make: those of a dozen codes here, all of them in
# `make test-slow`.
MADE = {"24/5", "24/7", "CMES", "XBOG", "XBOM", "XCSE", "XDUS", "XETR", "XIDX", "XLON", "XNSE"}
MADE |= {"XNYS", "XTAE", "XTKS"}


def test_every_code_has_a_calendar_that_the_library_makes() -> None:
    assert set(CALENDARS.values()) <= {*get_calendar_names(), "XNSE"}


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, marks=() if calendar in MADE else pytest.mark.slow)
        for code, calendar in sorted(CALENDARS.items())
    ],
)
def test_the_calendar_of_every_code_can_be_made(code: str) -> None:
    calendar = CALENDARS[code]
    zone = ZONES.get(code, timezone(calendar))
    assert calendar_of("X", code, zone) == calendar
    assert session_close(calendar, date(2024, 6, 4)) > datetime(2024, 6, 3, 20, tzinfo=UTC)


@pytest.mark.parametrize(("code", "zone"), [("XYZ", "UTC"), (None, None), ("DFM", "Asia/Dubai")])
def test_an_exchange_without_calendar_is_refused_by_name(
    code: str | None, zone: str | None
) -> None:
    with pytest.raises(SourceError, match=f"SYM trades on Yahoo's exchange {code!r}") as raised:
        calendar_of("SYM", code, zone)
    assert raised.value.cause is Cause.UNKNOWN


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/Chicago", "Mars/Olympus", "", None])
def test_another_clock_than_the_calendars_is_refused(zone: str | None) -> None:
    with pytest.raises(SourceError, match="keeps the time of America/New_York, but Yahoo gives"):
        calendar_of("SYM", "NMS", zone)


def test_the_calendar_of_the_settings_is_no_ones_default(serve: Serve) -> None:
    """A bar of Xetra beside a universe on Mumbai's calendar is known at its own close."""
    closes = session_close("XETR", date(2024, 6, 5))
    rows = [(datetime(2024, 6, 5, 7, tzinfo=UTC), 100.0, 10.0)]

    def answers(path: str) -> tuple[int, str]:
        if "search" in path:
            return 200, '{"news": []}'
        body: Any = json.loads(chart(path.rsplit("/", 1)[-1], rows, {}))
        code, zone = ("GER", "Europe/Berlin") if "SAP" in path else ("DFM", "Asia/Dubai")
        meta = body["chart"]["result"][0]["meta"]
        meta |= {"exchangeName": code, "exchangeTimezoneName": zone}
        return 200, json.dumps(body)

    given = settings().model_copy(update={"symbols": "SAP.DE,EMAAR.AE", "calendar": "XNSE"})
    now = datetime(2024, 6, 6, 12, tzinfo=UTC)
    asked = Request(universe("yahoo", given), date(2024, 6, 5), date(2024, 6, 6), now, given)
    with serve(answers):
        frames: dict[str, list[pa.Table]] = {}
        for table, frame in SOURCES.get("yahoo").frames(asked):
            frames.setdefault(table, []).append(frame)
    found = {table: pa.concat_tables(parts).to_pylist() for table, parts in frames.items()}
    assert [(bar["instrument_id"], bar["known_at"]) for bar in found["bars"]] == [
        ("SAP.DE", closes)
    ]
    assert [row["calendar"] for row in found["instruments"]] == ["XETR"]
    assert "EMAAR.AE" in str(found["symbols"][-1]["fault"])
