"""Sessions of exchanges: when a trading day opens, closes, and which one comes next.

Names are those of `exchange_calendars` (XNYS, XBOM, CMES, 24/7, 24/5); XNSE is accepted for the
National Stock Exchange of India, which keeps the sessions of XBOM.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

_ALIASES = {"XNSE": "XBOM"}
# Holidays are recorded from here on.
_FIRST = {"XBOM": "1997-01-01"}


class NotASession(ValueError):
    """A date on which the calendar's exchange does not trade."""


@lru_cache(maxsize=16)
def _calendar(name: str) -> "ExchangeCalendar":
    from exchange_calendars import get_calendar
    from exchange_calendars.errors import InvalidCalendarName

    name = _ALIASES.get(name, name)
    try:
        return get_calendar(name, start=_FIRST.get(name, "1990-01-01"))
    except InvalidCalendarName as error:
        raise ValueError(f"unknown exchange calendar {name!r}: try XNYS, XNSE or 24/7") from error


@lru_cache(maxsize=16)
def _table(name: str) -> dict[date, tuple[datetime, datetime]]:
    frame = _calendar(name).schedule
    opens = frame["open"].dt.to_pydatetime()
    closes = frame["close"].dt.to_pydatetime()
    return {day.date(): (o, c) for day, o, c in zip(frame.index, opens, closes, strict=True)}


@lru_cache(maxsize=16)
def _days(name: str) -> tuple[date, ...]:
    return tuple(_table(name))


def sessions(calendar: str, first: date, last: date) -> list[date]:
    """Sessions from `first` to `last`, both included."""
    return [day for day in _days(calendar) if first <= day <= last]


def is_session(calendar: str, day: date) -> bool:
    """Whether the exchange trades on that date."""
    return day in _table(calendar)


def _times(calendar: str, session: date) -> tuple[datetime, datetime]:
    try:
        return _table(calendar)[session]
    except KeyError:
        raise NotASession(f"{session} is no session of {calendar}") from None


def session_open(calendar: str, session: date) -> datetime:
    """The session's opening in UTC; raises NotASession."""
    return _times(calendar, session)[0]


def session_close(calendar: str, session: date) -> datetime:
    """The session's close in UTC, early closes included; raises NotASession."""
    return _times(calendar, session)[1]


def timezone(calendar: str) -> str:
    """The time zone in which the exchange trades."""
    return str(_calendar(calendar).tz)


def shift(calendar: str, session: date, steps: int) -> date:
    """The session `steps` later (negative: earlier); raises NotASession past the calendar."""
    days = _days(calendar)
    _times(calendar, session)
    position = _position(calendar)[session] + steps
    if not 0 <= position < len(days):
        raise NotASession(f"{calendar} has no session {steps} steps from {session}")
    return days[position]


@lru_cache(maxsize=16)
def _position(calendar: str) -> dict[date, int]:
    return {day: i for i, day in enumerate(_days(calendar))}


def last_session(calendar: str, as_of: datetime) -> date:
    """The newest session whose close is not after `as_of` (UTC); raises NotASession."""
    day = as_of.date() + timedelta(days=1)
    while day > _days(calendar)[0]:
        if is_session(calendar, day) and session_close(calendar, day) <= as_of:
            return day
        day -= timedelta(days=1)
    raise NotASession(f"{calendar} has no session that closed by {as_of}")


def last_sessions(calendar: str, last: date, count: int) -> Sequence[date]:
    """The `count` sessions that end with the session `last`, oldest first."""
    end = _position(calendar).get(last)
    if end is None:
        raise NotASession(f"{last} is no session of {calendar}")
    return _days(calendar)[max(0, end - count + 1) : end + 1]
