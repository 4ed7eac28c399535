"""What a range of sessions owns, and the hours of many sessions as one Polars frame to join on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import polars as pl

from contracts.time.calendar import (
    NotKnown,
    exchange,
    known,
    last_sessions,
    next_session,
    session_close,
    sessions,
    shift,
)
from contracts.time.exchange import Exchange
from etl.source import Cause, SourceError

_MOMENT = pl.Datetime("us", "UTC")
_HOURS = {"session": pl.Date(), "opens": _MOMENT, "closes": _MOMENT}


def sheet(calendars: Iterable[str]) -> pl.DataFrame:
    """Columns calendar, session, opens, closes (UTC) of all sessions that are known."""
    parts = [
        _hours(exchange(name)).select(pl.lit(name).alias("calendar"), *_HOURS)
        for name in sorted(set(calendars))
    ]
    return pl.concat([pl.DataFrame(schema={"calendar": pl.String(), **_HOURS}), *parts])


@lru_cache(maxsize=16)
def _hours(known: Exchange) -> pl.DataFrame:
    # A calendar has ten thousand sessions, and each batch of each source asks for them.
    rows = [(day, *known.hours[day]) for day in known.days]
    return pl.DataFrame(rows, schema=_HOURS, orient="row")


def spans(calendars: Iterable[str]) -> pl.DataFrame:
    """Columns calendar, known_from, known_until: the dates between which sessions are known."""
    rows = [(calendar, *known(calendar)) for calendar in sorted(set(calendars))]
    schema = {"calendar": pl.String(), "known_from": pl.Date(), "known_until": pl.Date()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def days_asked(calendar: str, first: date, last: date) -> list[date]:
    """The sessions of a request.

    Raises SourceError: closed when there are none, unknown when nobody knows them.
    """
    try:
        days = sessions(calendar, first, last)
    except NotKnown as error:
        raise SourceError(Cause.UNKNOWN, str(error)) from error
    if not days:
        raise SourceError(Cause.CLOSED, f"{calendar} has no session from {first} to {last}")
    return days


@dataclass(frozen=True)
class Window:
    """What a range of sessions of a universe's calendar owns: all since the session before it.

    after, until: the closes (UTC) between which a thing happened, the first excluded. after_day,
    until_day: the dates of those sessions, for things that have a date only. Ranges that follow
    each other own everything once, whatever calendar it keeps: what comes after the last close is
    the next session's. The calendar's first session owns all before it.
    """

    after: datetime
    until: datetime
    after_day: date
    until_day: date

    def at(self, moment: str) -> pl.Expr:
        """Whether the moment in that column is owned; null where it is null."""
        return (pl.col(moment) > self.after) & (pl.col(moment) <= self.until)

    def on(self, day: str) -> pl.Expr:
        """Whether the date in that column is owned; null where it is null."""
        return (pl.col(day) > self.after_day) & (pl.col(day) <= self.until_day)

    def holds(self, moment: datetime) -> bool:
        """Whether the moment is owned."""
        return self.after < moment <= self.until


def window(calendar: str, first: date, last: date) -> Window:
    """What the sessions of a request own; raises SourceError as `days_asked`."""
    days = days_asked(calendar, first, last)
    before = last_sessions(calendar, days[0], 2)[0]
    until = session_close(calendar, days[-1])
    if before == days[0]:
        return Window(datetime.min.replace(tzinfo=UTC), until, date.min, days[-1])
    return Window(session_close(calendar, before), until, before, days[-1])


def owner(calendar: str, moment: datetime) -> date:
    """The session that owns a moment: the first to close at or after it; raises NotKnown."""
    day = next_session(calendar, max(moment.date() - timedelta(days=1), known(calendar)[0]))
    while session_close(calendar, day) < moment:
        day = shift(calendar, day, 1)
    return day


def listed_at(first_session: date) -> datetime:
    """When an instrument seen first at `first_session` counts as known: a day before it."""
    return datetime.combine(first_session, time(), UTC) - timedelta(days=1)


def eve(day: str) -> pl.Expr:
    """Midnight (UTC) before the day in that column: when a thing of that day counts as known."""
    midnight = pl.col(day).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return midnight - timedelta(days=1)
