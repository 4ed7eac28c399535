"""Sessions against dates taken from the exchanges' published calendars."""

from datetime import UTC, date, datetime

import pytest

from contracts.time import calendar


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


def test_a_calendar_begins_and_ends_where_its_knowledge_does() -> None:
    for name in ("XTKS", "XSHG", "XSAU", "AIXK", "XTAE"):
        first, last = calendar.known(name)
        assert calendar.sessions(name, date(1990, 1, 1), date(2026, 1, 30))
        assert first >= date(1990, 1, 1) and last >= date(2026, 12, 31)
    assert calendar.known("XTKS")[0] == date(1997, 1, 1)
    for name in ("XBOM", "XNSE", "XSHG", "XSES"):
        assert calendar.known(name)[1] == date(2026, 12, 31)


@pytest.mark.parametrize("name", ["XNSE", "XSHG", "XSES"])
def test_beyond_what_is_known_is_another_answer_than_no_session(name: str) -> None:
    last, new_year = date(2026, 12, 31), date(2027, 1, 4)
    as_of = datetime(2027, 1, 5, tzinfo=UTC)
    for ask in (
        lambda: calendar.is_session(name, new_year),
        lambda: calendar.session_close(name, new_year),
        lambda: calendar.sessions(name, date(2026, 12, 1), new_year),
        lambda: calendar.shift(name, last, 1),
        lambda: calendar.next_session(name, new_year),
        lambda: calendar.last_session(name, as_of),
        lambda: calendar.last_sessions(name, new_year, 5),
    ):
        with pytest.raises(calendar.NotKnown, match=r"to 2026-12-31.*sessions\.csv"):
            ask()
    assert calendar.last_session(name, datetime(2026, 12, 31, 12, tzinfo=UTC)) == last
    assert calendar.sessions_known(name, last, new_year) == [last]


def test_before_its_begin_a_calendar_knows_nothing_either() -> None:
    with pytest.raises(calendar.NotKnown, match="from 1997-01-01"):
        calendar.is_session("XTKS", date(1996, 6, 3))
    with pytest.raises(calendar.NotKnown):
        calendar.sessions("XTKS", date(1990, 1, 1), date(1996, 6, 3))
    with pytest.raises(calendar.NotKnown):
        calendar.last_session("XTKS", datetime(1996, 6, 3, tzinfo=UTC))
