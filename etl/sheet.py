"""Opening and closing times of many sessions as one Polars frame, to join on."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from contracts.calendar import last_sessions, session_close, session_open, sessions
from etl.source import Cause, SourceError

_MOMENT = pl.Datetime("us", "UTC")


def sheet(calendars: Iterable[str], first: date, last: date) -> pl.DataFrame:
    """Columns calendar, session, opens, closes (UTC) of all sessions from `first` to `last`."""
    rows = [
        (calendar, day, session_open(calendar, day), session_close(calendar, day))
        for calendar in sorted(set(calendars))
        for day in sessions(calendar, first, last)
    ]
    schema = {"calendar": pl.String(), "session": pl.Date(), "opens": _MOMENT, "closes": _MOMENT}
    return pl.DataFrame(rows, schema=schema, orient="row")


def days_asked(calendar: str, first: date, last: date) -> list[date]:
    """The sessions of a request; raises SourceError (closed) when there are none."""
    days = sessions(calendar, first, last)
    if not days:
        raise SourceError(Cause.CLOSED, f"{calendar} has no session from {first} to {last}")
    return days


def news_window(calendar: str, first: date, last: date) -> tuple[datetime, datetime]:
    """After which moment and up to which one a headline belongs to the sessions asked for."""
    days = days_asked(calendar, first, last)
    before = last_sessions(calendar, days[0], 2)[0]
    return session_close(calendar, before), session_close(calendar, days[-1])


def listed_at(first_session: date) -> datetime:
    """When an instrument seen first at `first_session` counts as known: a day before it."""
    return datetime.combine(first_session, time(), UTC) - timedelta(days=1)


def eve(day: str) -> pl.Expr:
    """Midnight (UTC) before the day in that column: when a thing of that day counts as known."""
    midnight = pl.col(day).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return midnight - timedelta(days=1)
