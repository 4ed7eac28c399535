"""Days of rest ahead against a search day by day, and against closures that nobody foresaw."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panel_inputs import calendar_columns

from contracts.time import calendar
from contracts.time.amendments import Amendment, stating
from features.feature import FEATURES, find
from features.inputs.rest import announced_rest
from features.view import views

JANUARY = date(2024, 1, 1)


def ahead(name: str, day: date, column: str = "rest_announced") -> float:
    closed = calendar.session_close(name, day).replace(tzinfo=None)
    found = calendar_columns(
        name, np.array([day], "datetime64[D]"), np.array([closed], "datetime64[us]")
    )
    return float(found[column][0])


def told(day: date, trades: bool, at: datetime, name: str = "XNSE") -> Amendment:
    opens = datetime(day.year, day.month, day.day, 3, 45, tzinfo=UTC)
    hours = (opens, opens + timedelta(hours=6)) if trades else (None, None)
    return Amendment(name, day, *hours, "Asia/Kolkata", at)


@pytest.mark.parametrize(
    ("name", "day", "days"),
    [
        # The attacks of the next day and hurricane Sandy were not announced.
        ("XNYS", date(2001, 9, 10), 0),
        ("XNYS", date(2012, 10, 26), 2),
        # Holidays by rule and by published list were: Thanksgiving, Good Friday, Republic Day.
        ("XNYS", date(2024, 11, 27), 1),
        ("XNYS", date(2024, 3, 28), 3),
        ("XNSE", date(2024, 1, 25), 3),
        # Floods in Mumbai; the holiday of 22 January 2024 after a session on the Saturday.
        ("XNSE", date(2005, 7, 27), 0),
        ("XNSE", date(2024, 1, 20), 1),
        # A typhoon of 2024 that the library knows now.
        ("XHKG", date(2024, 9, 5), 0),
        ("24/7", date(2024, 6, 1), 0),
    ],
)
def test_rest_ahead_is_as_announced(name: str, day: date, days: int) -> None:
    assert ahead(name, day) == days


def test_beyond_what_is_known_rest_is_unknown() -> None:
    assert np.isnan(ahead("XNSE", date(2026, 12, 31)))


def test_a_statement_counts_from_the_moment_it_was_made() -> None:
    friday, saturday = date(2020, 1, 31), date(2020, 2, 1)
    close = calendar.session_close("XNSE", friday)
    for at, days in ((close, 0), (close + timedelta(microseconds=1), 2)):
        with stating([told(saturday, True, at)]):
            assert ahead("XNSE", friday) == days
    with stating([told(date(2023, 9, 1), False, datetime(2023, 8, 31, 7, tzinfo=UTC), "XHKG")]):
        assert ahead("XHKG", date(2023, 8, 31)) == 3
    with stating([told(date(2023, 9, 1), False, datetime(2023, 9, 1, tzinfo=UTC), "XHKG")]):
        assert ahead("XHKG", date(2023, 8, 31)) == 0
        assert ahead("XHKG", date(2023, 8, 31), "rest") == 3  # as it turned out


def test_a_calendar_of_its_own_knows_ahead_what_it_was_told() -> None:
    days = [date(2015, 1, 2), date(2015, 1, 5), date(2015, 1, 6)]
    early, late = datetime(2014, 12, 1, tzinfo=UTC), datetime(2015, 1, 6, 3, tzinfo=UTC)
    rows = [told(day, True, late if day == days[-1] else early, "MCX") for day in days]
    with stating(rows):
        assert ahead("MCX", days[0]) == 2
        assert np.isnan(ahead("MCX", days[1])) and np.isnan(ahead("MCX", days[2]))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.integers(-60, 45)), max_size=12),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 24)), min_size=1, max_size=8),
)
def test_the_search_for_the_next_session_is_one_day_by_day(
    said: list[tuple[int, bool, int]], asked: list[tuple[int, int]]
) -> None:
    day = {n: JANUARY + timedelta(days=n) for n in range(-60, 80)}
    zero = datetime(2024, 1, 1, tzinfo=UTC)
    unique = {(n, known): trades for n, trades, known in said}
    rows = [told(day[n], t, zero + timedelta(days=k)) for (n, k), t in unique.items()]
    library, _ = calendar.announcements("XNSE")
    assert library

    def expected(session: date, as_of: datetime) -> int:
        for days in range(1, 60):
            on = session + timedelta(days=days)
            known = [r for r in rows if r.session == on and r.known_at <= as_of]
            by_rule = on in library.hours or on in library.unannounced
            newest = max(known, key=lambda r: r.known_at, default=None)
            if by_rule if newest is None else newest.opens is not None:
                return days - 1
        raise AssertionError

    moments = [zero + timedelta(days=n, hours=h) for n, h in asked]
    with stating(rows):
        found = announced_rest(
            "XNSE",
            np.array([day[n] for n, _ in asked], "datetime64[D]"),
            np.array([at.replace(tzinfo=None) for at in moments], "datetime64[us]"),
        )
    wanted = [expected(day[n], at) for (n, _), at in zip(asked, moments, strict=True)]
    assert found.tolist() == wanted


def test_frozen_views_keep_the_feature_they_had() -> None:
    assert FEATURES.get("announced_rest_ahead").columns == {"rest_announced"}
    assert find("days_of_rest_ahead", 1).columns == {"rest"}
    hashes = {view.name: view.hash for view in views()}
    assert hashes["daily_2"] == "0df78fd182f849fe" and hashes["market_2"] == "5fd741e625820c4d"
