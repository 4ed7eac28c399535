"""`sessions.csv`: special sessions load, removed ones stop nothing, and bad rows are named."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.settings import settings
from contracts.time import calendar
from contracts.time.amendments import stating
from etl.folder import trading_sessions
from etl.folder.contents import contents

SUNDAY = date(2019, 10, 27)


def bars(folder: Path, symbol: str, *days: str) -> None:
    """Flat bars of one symbol on those days, in place of the folder's."""
    lines = [f"{symbol},{day},10,11,9,10,5" for day in days]
    text = "\n".join(["symbol,session,open,high,low,close,volume", *lines, ""])
    (folder / "bars.csv").write_text(text)
    for name in ("actions.csv", "headlines.jsonl"):
        (folder / name).unlink(missing_ok=True)


def on(name: str) -> Any:
    return settings().model_copy(update={"calendar": name})


def test_sessions_that_no_library_knows_load(folder: Any, load_raw: Any) -> None:
    days = ("2019-10-25", "2019-10-27", "2019-10-29", "2020-02-01", "2024-01-20")
    bars(folder.path, "AAA", *days)
    assert load_raw("files", on("XNSE")).reasons == ["date is no session of the calendar"] * 2
    folder.add(
        "sessions.csv",
        "session,status,opens,closes,known_at",
        "2019-10-27,open,18:15,19:15,2019-10-15T12:00:00Z",
        "2020-02-01,,,,2020-01-20T12:00:00+05:30",
    )
    found = load_raw("files", on("XNSE"))
    assert found.reasons == [] and len(found.good["bars"]) == len(days)
    known = {bar["session"]: bar["known_at"] for bar in found.good["bars"]}
    assert known[SUNDAY] == datetime(2019, 10, 27, 13, 45, tzinfo=UTC)
    assert known[date(2020, 2, 1)] == datetime(2020, 2, 1, 10, tzinfo=UTC)  # the usual hours
    told = {row["session"]: row["known_at"] for row in found.good["trading_sessions"]}
    assert told[SUNDAY] == datetime(2019, 10, 15, 12, tzinfo=UTC)
    assert not calendar.is_session("XNSE", SUNDAY)  # nothing is stored by a look at a folder


def test_a_removed_session_is_no_session_and_no_gap(folder: Any, load_raw: Any) -> None:
    bars(folder.path, "0005", "2023-08-31", "2023-09-01", "2023-09-04")
    folder.add("sessions.csv", "calendar,session,status", "XHKG,2023-09-01,closed")
    found = load_raw("files", on("XHKG"))
    assert found.reasons == ["date is no session of the calendar"]
    (row,) = found.good["trading_sessions"]
    assert row["opens"] is row["closes"] is None and row["timezone"] == "Asia/Hong_Kong"
    assert row["known_at"] == datetime(2023, 9, 1, 1, 30, tzinfo=UTC)


def test_a_folder_may_bring_a_calendar_of_its_own(folder: Any, load_raw: Any) -> None:
    bars(folder.path, "GOLD", "2015-02-27", "2015-02-28", "2015-03-02", "2015-03-03")
    folder.add("instruments.csv", "symbol,calendar", "GOLD,MCX")
    folder.add("sessions.csv", "calendar,session,opens,closes,timezone")
    for day in ("2015-02-27", "2015-02-28", "2015-03-02"):
        folder.add("sessions.csv", f"MCX,{day},09:00,23:55,Asia/Kolkata")
    found = load_raw("files", on("24/7"))
    assert [bar["session"].day for bar in found.good["bars"]] == [27, 28, 2]
    assert found.good["bars"][0]["known_at"] == datetime(2015, 2, 27, 18, 25, tzinfo=UTC)
    assert found.reasons == ["date lies beyond what the calendar knows"]


def test_bars_beyond_what_is_known_are_refused_by_that_name(folder: Any, load_raw: Any) -> None:
    bars(folder.path, "7203", "1996-06-03", "1997-01-06", "1997-01-07", "1997-01-04")
    folder.add("instruments.csv", "symbol,calendar", "7203,XTKS")
    found = load_raw("files", on("XNYS"))
    assert len(found.good["bars"]) == 2
    assert found.reasons == [
        "date is no session of the calendar",
        "date lies beyond what the calendar knows",
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("XNSE,2024-13-01,open,,,,", "session is not a date"),
        ("XNSE,,open,,,,", "session is missing"),
        ("XNSE,2024-03-02,half,,,,", "status is neither open nor closed: half"),
        ("XNSE,2024-03-02,open,noon,,,", "neither a time of day"),
        ("XNSE,2024-03-02,open,15:00,09:00,,", "it closes before it opens"),
        ("XNSE,2024-03-02,open,2024-05-02T04:00:00Z,2024-05-02T09:00:00Z,,", "more than a day"),
        ("XNSE,2024-03-02,open,,,Asia/Tokyo,", "timezone of XNSE is Asia/Kolkata"),
        ("XNSE,2024-03-02,open,,,,yesterday", "known_at is not a time with its zone"),
        ("MCX,2024-03-02,open,09:00,23:00,,", "timezone is needed"),
        ("MCX,2024-03-02,open,09:00,23:00,Mumbai/India,", "timezone is none"),
        ("MCX,2024-03-02,open,,,Asia/Kolkata,", "opens and closes are needed"),
    ],
)
def test_a_bad_statement_is_refused_with_its_reason(
    folder: Any, load_raw: Any, row: str, reason: str
) -> None:
    folder.add("sessions.csv", "calendar,session,status,opens,closes,timezone,known_at", row)
    found = load_raw("files")
    (refused,) = found.refused["trading_sessions"]
    assert reason in refused["reason"] and len(found.good["bars"]) == 10


def test_a_statement_means_the_same_whatever_is_stored(folder: Any) -> None:
    folder.add("sessions.csv", "calendar,session", "XNSE,2019-10-27", "XNSE,2019-10-28")
    once = trading_sessions.read(contents(folder.path), "XNSE")
    with stating(once.told):
        again = trading_sessions.read(contents(folder.path), "XNSE")
    assert once.rows == again.rows and len(once.told) == 2
