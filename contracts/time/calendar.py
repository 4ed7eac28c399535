"""Sessions of exchanges: when a trading day opens, closes, and which one comes next.

Names are those of `exchange_calendars` (XNYS, XBOM, CMES, 24/7, 24/5); XNSE is accepted for the
National Stock Exchange of India, which keeps the sessions of XBOM. What users have stated beside
the library (docs/files_layout.md, `sessions.csv`) counts in every function, and makes calendars
of its own. A calendar begins and ends where the knowledge of it does: NotKnown is raised beyond.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from contracts.expected import Expected
from contracts.time.amendments import Amendment, current
from contracts.time.exchange import Exchange, canonical, library_exchange


class CalendarError(Expected, ValueError):
    """A calendar has no answer; the message names it and the date."""


class NotASession(CalendarError):
    """A date on which the calendar's exchange does not trade."""


class NotKnown(CalendarError):
    """A date on which nobody told whether the calendar's exchange trades."""


def exchange(name: str) -> Exchange:
    """All that is known of a calendar; raises CalendarError for a name that nobody knows."""
    found = current().exchange(name)
    if found is None:
        raise CalendarError(
            f"unknown exchange calendar {name!r}: try XNYS, XNSE or 24/7, or state its sessions "
            "in sessions.csv (docs/files_layout.md)"
        )
    return found


def _beyond(calendar: str, what: str) -> NotKnown:
    first, last = known(calendar)
    return NotKnown(
        f"the sessions of {calendar} are known from {first} to {last}, asked for {what}: state "
        "others in sessions.csv (docs/files_layout.md), or install a newer exchange_calendars"
    )


def announcements(name: str) -> tuple[Exchange | None, tuple[Amendment, ...]]:
    """What the library knows of a calendar, and what was stated besides, by date and `known_at`."""
    return library_exchange(canonical(name)), current().by_calendar.get(canonical(name), ())


def known(calendar: str) -> tuple[date, date]:
    """The dates between which it is known which days are sessions, both included."""
    found = exchange(calendar)
    return found.first, found.last


def all_sessions(calendar: str) -> tuple[date, ...]:
    """Every session that is known, in order."""
    return exchange(calendar).days


def sessions(calendar: str, first: date, last: date) -> list[date]:
    """Sessions from `first` to `last`, both included.

    They begin where the calendar does; raises NotKnown when `last` lies beyond either of its ends.
    """
    found = exchange(calendar)
    if not found.first <= last <= found.last:
        raise _beyond(calendar, f"{first} to {last}")
    days = found.days
    return list(days[bisect_left(days, first) : bisect_right(days, last)])


def sessions_known(calendar: str, first: date, last: date) -> list[date]:
    """Those sessions from `first` to `last` that are known, for reports over many calendars."""
    days = exchange(calendar).days
    return list(days[bisect_left(days, first) : bisect_right(days, last)])


def is_session(calendar: str, day: date) -> bool:
    """Whether the exchange trades on that date; raises NotKnown."""
    found = exchange(calendar)
    if not found.first <= day <= found.last:
        raise _beyond(calendar, str(day))
    return day in found.hours


def _times(calendar: str, session: date) -> tuple[datetime, datetime]:
    if not is_session(calendar, session):
        raise NotASession(f"{session} is no session of {calendar}")
    return exchange(calendar).hours[session]


def session_open(calendar: str, session: date) -> datetime:
    """The session's opening in UTC; raises NotASession, NotKnown."""
    return _times(calendar, session)[0]


def session_close(calendar: str, session: date) -> datetime:
    """The session's close in UTC, early closes included; raises NotASession, NotKnown."""
    return _times(calendar, session)[1]


def timezone(calendar: str) -> str:
    """The time zone in which the exchange trades."""
    return exchange(calendar).zone


def shift(calendar: str, session: date, steps: int) -> date:
    """The session `steps` later (negative: earlier); raises NotASession, NotKnown."""
    _times(calendar, session)
    found = exchange(calendar)
    place = found.place[session] + steps
    if not 0 <= place < len(found.days):
        raise _beyond(calendar, f"{steps} sessions from {session}")
    return found.days[place]


def next_session(calendar: str, day: date) -> date:
    """The first session on that date or after it; raises NotKnown."""
    days = all_sessions(calendar)
    place = bisect_left(days, day)
    if place == len(days) or day < known(calendar)[0]:
        raise _beyond(calendar, f"the first session from {day} on")
    return days[place]


def last_session(calendar: str, as_of: datetime) -> date:
    """The newest session whose close is not after `as_of` (UTC); raises NotKnown."""
    found = exchange(calendar)
    if as_of.astimezone(ZoneInfo(found.zone)).date() <= found.last:
        place = bisect_right(found.days, as_of, key=lambda day: found.hours[day][1])
        if place:
            return found.days[place - 1]
    raise _beyond(calendar, f"the last session closed by {as_of}")


def last_sessions(calendar: str, last: date, count: int) -> Sequence[date]:
    """The `count` sessions that end with the session `last`, oldest first.

    Fewer where the calendar begins; raises NotASession, NotKnown.
    """
    _times(calendar, last)
    found = exchange(calendar)
    end = found.place[last] + 1
    return found.days[max(0, end - count) : end]
