"""What a range owns: everything once, in whatever ranges it is asked for."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.time.calendar import all_sessions, session_close, sessions
from etl.sessions import owner, sheet, spans, window
from etl.source import Cause, SourceError

FIRST, LAST = date(2024, 2, 26), date(2024, 4, 12)  # both clocks change within
CALENDARS = ("XNYS", "XNSE", "24/7", "24/5", "CMES", "XLON", "XNZE")


@pytest.mark.parametrize("name", CALENDARS)
def test_every_moment_and_date_has_one_owner(name: str) -> None:
    days = sessions(name, FIRST, LAST)
    whole, parts = window(name, FIRST, LAST), [window(name, day, day) for day in days]
    moments = [whole.after + timedelta(minutes=17 * n) for n in range(4500)]
    frame = pl.DataFrame({"at": moments}, {"at": pl.Datetime("us", "UTC")})
    frame = frame.with_columns(day=pl.col("at").dt.date())
    for ask in ("at", "day"):
        owned = [
            frame.select(part.at("at") if ask == "at" else part.on("day")).to_series()
            for part in parts
        ]
        count = sum((mask.cast(pl.Int64) for mask in owned[1:]), owned[0].cast(pl.Int64))
        inside = frame.select(whole.at("at") if ask == "at" else whole.on("day")).to_series()
        assert count.to_list() == inside.cast(pl.Int64).to_list()


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(CALENDARS), st.integers(0, 60 * 24 * 40))
def test_the_owner_of_a_moment_is_the_session_whose_window_holds_it(name: str, minute: int) -> None:
    moment = datetime(2024, 3, 1, tzinfo=UTC) + timedelta(minutes=minute)
    day = owner(name, moment)
    assert window(name, day, day).holds(moment)


def test_a_weekend_belongs_to_monday() -> None:
    monday, friday = date(2024, 3, 18), date(2024, 3, 15)
    owned = window("XNYS", monday, monday)
    assert (owned.after_day, owned.until_day) == (friday, monday)
    assert owned.after == session_close("XNYS", friday)
    # Friday's bar of a market that never closes comes after New York's close.
    assert owner("XNYS", session_close("24/7", friday)) == monday
    assert owner("XNYS", session_close("XNSE", friday)) == friday


def test_the_first_session_owns_all_before_it() -> None:
    first = all_sessions("XTKS")[0]
    owned = window("XTKS", date(1990, 1, 1), first)
    assert owned.holds(datetime(1949, 5, 16, tzinfo=UTC)) and owned.after_day == date.min


def test_a_closed_range_and_an_unknown_one_are_two_answers() -> None:
    with pytest.raises(SourceError) as closed:
        window("XNSE", date(2026, 12, 25), date(2026, 12, 27))
    with pytest.raises(SourceError, match=r"XNSE.*known.*2026-12-31") as unknown:
        window("XNSE", date(2026, 12, 28), date(2027, 1, 29))
    assert (closed.value.cause, unknown.value.cause) == (Cause.CLOSED, Cause.UNKNOWN)


def test_the_sheet_holds_all_that_is_known() -> None:
    frame, known = sheet(["XTKS", "XNSE", "XNSE"]), spans(["XTKS", "XNSE"])
    assert frame.height == len(all_sessions("XTKS")) + len(all_sessions("XNSE"))
    assert dict(known.select("calendar", "known_from").iter_rows())["XTKS"] == date(1997, 1, 1)
