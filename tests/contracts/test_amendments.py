"""Stated sessions against sets worked out by hand, and what is known beyond the library's end."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.store import Provenance, Store
from contracts.tables import TRADING_SESSIONS
from contracts.time import calendar
from contracts.time.amendments import Amendment, forget, stating

JANUARY = date(2024, 1, 1)


def told(
    day: date, trades: bool = True, name: str = "XNSE", known: date = date(2023, 12, 1)
) -> Amendment:
    """A session from 3:45 to 10:00 UTC on that day, or none."""
    opens = datetime(day.year, day.month, day.day, 3, 45, tzinfo=UTC)
    closes = opens.replace(hour=10, minute=0)
    at = datetime(known.year, known.month, known.day, tzinfo=UTC)
    hours = (opens, closes) if trades else (None, None)
    return Amendment(name, day, *hours, "Asia/Kolkata", at)


def test_a_special_session_is_one_within_the_block_only() -> None:
    sunday, before, after = date(2019, 10, 27), date(2019, 10, 25), date(2019, 10, 29)
    assert not calendar.is_session("XNSE", sunday)
    with stating([told(sunday)]):
        assert calendar.is_session("XNSE", sunday) and not calendar.is_session("XBOM", sunday)
        assert calendar.session_close("XNSE", sunday) == datetime(2019, 10, 27, 10, tzinfo=UTC)
        assert calendar.shift("XNSE", before, 1) == sunday
        assert calendar.shift("XNSE", sunday, 1) == after
        assert calendar.last_session("XNSE", datetime(2019, 10, 28, tzinfo=UTC)) == sunday
    assert calendar.shift("XNSE", before, 1) == after


def test_a_typhoon_takes_a_session_away() -> None:
    with stating([told(date(2023, 9, 1), False, "XHKG"), told(date(2023, 9, 8), False, "XHKG")]):
        found = calendar.sessions("XHKG", date(2023, 8, 31), date(2023, 9, 11))
        assert [day.day for day in found] == [31, 4, 5, 6, 7, 11]
        with pytest.raises(calendar.NotASession):
            calendar.session_open("XHKG", date(2023, 9, 1))


def test_the_newest_statement_of_a_day_holds() -> None:
    day = date(2024, 1, 22)
    first, second = told(day), told(day, False, known=date(2024, 1, 19))
    with stating([second, first]):
        assert not calendar.is_session("XNSE", day)


def test_an_alias_of_the_library_is_the_same_calendar() -> None:
    day = date(2024, 1, 6)
    with stating([told(day, name="NYSE")]):
        assert calendar.is_session("XNYS", day) and calendar.is_session("NYSE", day)


def test_a_calendar_of_its_own_begins_and_ends_with_its_statements() -> None:
    days = [date(2015, 1, 2), date(2015, 1, 3), date(2015, 1, 5)]
    with stating([told(day, name="MCX") for day in days]):
        assert list(calendar.all_sessions("MCX")) == days
        assert calendar.timezone("MCX") == "Asia/Kolkata"
        assert not calendar.is_session("MCX", date(2015, 1, 4))
        with pytest.raises(calendar.NotKnown, match="2015-01-02 to 2015-01-05"):
            calendar.is_session("MCX", date(2015, 1, 6))
    with pytest.raises(calendar.CalendarError, match=r"sessions\.csv"):
        calendar.known("MCX")


def test_next_years_list_goes_on_where_the_library_ends() -> None:
    days = [date(2027, 1, 1) + timedelta(days=n) for n in range(31)]
    weekdays = [day for day in days if day.weekday() < 5 and day.day != 26]
    with stating([told(day) for day in weekdays]):
        assert calendar.known("XNSE")[1] == weekdays[-1]
        assert calendar.shift("XNSE", date(2026, 12, 31), 1) == weekdays[0]
        assert not calendar.is_session("XNSE", date(2027, 1, 26))
    with stating([told(date(2027, 11, 7))]):
        # One session far away says nothing of the ten months before.
        assert calendar.known("XNSE")[1] == date(2026, 12, 31)
        with pytest.raises(calendar.NotKnown):
            calendar.is_session("XNSE", date(2027, 11, 7))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 60), st.booleans()), st.integers(0, 60))
def test_any_statements_make_the_set_they_say(said: dict[int, bool], start: int) -> None:
    day = {n: JANUARY + timedelta(days=n) for n in range(61)}
    usual = set(calendar.sessions("XNSE", day[0], day[60]))
    wanted = sorted({d for n, d in day.items() if said.get(n, d in usual)})
    with stating([told(day[n], trades) for n, trades in said.items()]):
        assert calendar.sessions("XNSE", day[0], day[60]) == wanted
        for one, two in pairwise(wanted):
            assert calendar.shift("XNSE", one, 1) == two
            assert calendar.last_sessions("XNSE", two, 2) == (one, two)
        later = [d for d in wanted if d >= day[start]]
        if later:
            assert calendar.next_session("XNSE", day[start]) == later[0]


@pytest.mark.integration
def test_what_the_database_holds_is_seen_by_every_calendar(store: Store) -> None:
    import pyarrow as pa

    def add(*rows: Amendment) -> Any:
        frame = pa.Table.from_pylist([vars(row) for row in rows], schema=TRADING_SESSIONS.schema)
        return store.append(TRADING_SESSIONS, frame, Provenance("sessions", "files", "real"))

    sunday = date(2019, 10, 27)
    assert add(told(sunday)).added == 1 and add(told(sunday)).added == 0
    forget()
    assert calendar.is_session("XNSE", sunday)
    assert add(told(sunday, False, known=date(2019, 10, 26))).added == 1
    forget()
    assert not calendar.is_session("XNSE", sunday)


@pytest.mark.integration
def test_a_database_of_before_states_nothing(new_store: Any, postgres_url: str) -> None:
    with new_store() as store:
        with store.connect() as connection, connection.cursor() as cursor:
            cursor.execute("DROP TABLE trading_sessions")
        forget()
        assert not calendar.is_session("XNSE", date(2019, 10, 27))
