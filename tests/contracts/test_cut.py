"""A cut goes by its universe's sessions, compared with the library that knows them."""

from datetime import UTC, date, datetime

import exchange_calendars
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.cut import Cut
from contracts.time.calendar import NotASession
from contracts.universe import Universe

LIBRARY = {name: exchange_calendars.get_calendar(name) for name in ("XNYS", "XLON", "24/7")}
DAYS = st.dates(date(2012, 1, 1), date(2025, 6, 30))


def cut(calendar: str, first: date, last: date) -> Cut:
    return Cut(Universe("any", calendar), first, last, 7)


@given(st.sampled_from(sorted(LIBRARY)), DAYS, DAYS)
def test_its_sessions_are_the_exchanges(calendar: str, first: date, last: date) -> None:
    first, last = sorted((first, last))
    theirs = LIBRARY[calendar].sessions_in_range(pd.Timestamp(first), pd.Timestamp(last))
    assert cut(calendar, first, last).sessions == [day.date() for day in theirs]


@given(st.sampled_from(sorted(LIBRARY)), DAYS, st.integers(1, 300))
def test_going_back_counts_sessions_up_to_the_last(calendar: str, day: date, count: int) -> None:
    last = LIBRARY[calendar].date_to_session(pd.Timestamp(day), "previous").date()
    back = Cut.at(Universe("any", calendar), last, 7).back(count)
    assert len(back.sessions) == count and back.sessions[-1] == last == back.last
    assert back.sessions[0] == back.first and back.back(count) == back


@pytest.mark.parametrize(
    ("calendar", "close"),
    [
        ("XNYS", datetime(2025, 6, 30, 20, tzinfo=UTC)),
        ("XLON", datetime(2025, 6, 30, 15, 30, tzinfo=UTC)),
    ],
)
def test_it_ends_with_the_close_of_its_own_exchange(calendar: str, close: datetime) -> None:
    assert cut(calendar, date(2025, 6, 2), date(2025, 6, 30)).end == close


def test_a_cut_is_narrowed_and_widened_and_keeps_its_snapshot() -> None:
    whole = cut("XLON", date(2025, 6, 2), date(2025, 6, 30))
    part = whole.since(date(2025, 6, 10)).until(date(2025, 6, 12))
    assert (part.first, part.last, part.snapshot) == (date(2025, 6, 10), date(2025, 6, 12), 7)
    assert part.universe is whole.universe


def test_a_day_of_rest_has_no_end() -> None:
    # On 19 June 2025 New York rested and London did not.
    rest = date(2025, 6, 19)
    assert cut("XLON", rest, rest).end.hour == 15
    with pytest.raises(NotASession, match="no session of XNYS"):
        _ = cut("XNYS", rest, rest).end
