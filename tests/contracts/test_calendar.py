"""Sessions against dates taken from the exchanges' published calendars."""

from datetime import UTC, date, datetime

import pytest

from contracts import calendar


def test_early_close_and_holiday_of_new_york() -> None:
    # The day after Thanksgiving closes at 13:00 New York; Thanksgiving itself is no session.
    close = calendar.session_close("XNYS", date(2024, 11, 29))
    assert close == datetime(2024, 11, 29, 18, tzinfo=UTC)
    assert not calendar.is_session("XNYS", date(2024, 11, 28))
    with pytest.raises(calendar.NotASession, match="2024-11-28"):
        calendar.session_open("XNYS", date(2024, 11, 28))


def test_the_national_stock_exchange_of_india() -> None:
    # Republic Day is a holiday; the close is 15:30 Mumbai.
    assert not calendar.is_session("XNSE", date(2024, 1, 26))
    close = calendar.session_close("XNSE", date(2024, 1, 25))
    assert close == datetime(2024, 1, 25, 10, tzinfo=UTC)


def test_steps_between_sessions() -> None:
    friday, monday = date(2025, 6, 27), date(2025, 6, 30)
    assert calendar.shift("XNYS", friday, 1) == monday
    assert calendar.shift("XNYS", monday, -1) == friday
    assert list(calendar.last_sessions("XNYS", monday, 2)) == [friday, monday]
    assert calendar.sessions("XNYS", friday, monday) == [friday, monday]


def test_the_last_session_is_the_last_closed_one() -> None:
    close = datetime(2025, 6, 30, 20, tzinfo=UTC)
    assert calendar.last_session("XNYS", close) == date(2025, 6, 30)
    assert calendar.last_session("XNYS", close.replace(hour=19)) == date(2025, 6, 27)


def test_an_unknown_calendar_is_named() -> None:
    with pytest.raises(ValueError, match="XXXX"):
        calendar.sessions("XXXX", date(2025, 1, 1), date(2025, 1, 2))
