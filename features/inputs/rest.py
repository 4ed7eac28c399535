"""Panel columns of how long a market rests after a session, told and as it turned out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np

from contracts.time import calendar
from contracts.time.amendments import Amendment
from contracts.time.exchange import Exchange
from features.input import Columns, Known, Reading, Rows, panel_input
from features.inputs.clock import sessions_of
from features.panel.panel import Flags, Times
from features.panel.series import Values, Whole

_MOMENTS = 1 << 34  # more than the seconds since 1970 of any date in question
_NEVER = np.iinfo(np.int64).max


@panel_input(
    columns={
        "rest": "days without a session just after this one, as it turned out",
        "rest_announced": "days without a session just after this one, as announced by its close",
    },
    ahead=True,
    reading=Reading(alike=True),
)
def rest(rows: Rows, known: Known) -> Columns:  # noqa: ARG001
    """Null on a day that is no session; an exchange that never closes has no rest."""
    days = sessions_of(calendar.exchange(rows.calendar))
    place, listed = days.places(rows.session)
    announced = announced_rest(rows.calendar, rows.session, rows.as_of)
    return {
        "rest": np.where(listed, days.rest[place], np.nan),
        "rest_announced": np.where(listed, announced, np.nan),
    }


def announced_rest(name: str, session: Times, as_of: Times) -> Values:
    """Days without a session after each row's, as known at its `as_of` (UTC); null if unknown.

    Expected are the sessions of the exchange's rules and published holidays, not its unforeseen
    closures, with the statements (`trading_sessions`) that were known by then.
    """
    told = _told(*calendar.announcements(name))
    start = session.astype("datetime64[D]").astype(np.int64)
    at = as_of.astype("datetime64[s]").astype(np.int64)
    out = np.full(len(start), np.nan)
    rows, day = np.arange(len(start)), start.copy()
    while len(rows):
        day = np.minimum(_next(told.expected, day), _next(told.day, day))
        trades, known = told.at(day, at[rows])
        found = trades & known
        out[rows[found]] = (day - start[rows])[found] - 1.0
        going = known & ~found
        rows, day = rows[going], day[going]
    return out


@dataclass(frozen=True, eq=False)
class _Told:
    """Days as numbers. expected: sessions by rule; beyond first to last nothing is. key: day and
    moment of each statement, in order, and whether it says that there is a session."""

    expected: Whole
    first: int
    last: int
    key: Whole
    trades: Flags

    @property
    def day(self) -> Whole:
        return self.key // _MOMENTS

    def at(self, day: Whole, moment: Whole) -> tuple[Flags, Flags]:
        """Whether there is a session by what was told at the moment, and whether that is known."""
        by_rule = _next(self.expected, day - 1) == day
        known = (day >= self.first) & (day <= self.last)
        if not len(self.key):
            return by_rule, known
        near = np.minimum(day, _NEVER // _MOMENTS - 1)
        place = np.searchsorted(self.key, near * _MOMENTS + moment, side="right") - 1
        told = (place >= 0) & (self.day[place] == day)
        return np.where(told, self.trades[place], by_rule), known | told


def _next(days: Whole, after: Whole) -> Whole:
    return np.append(days, _NEVER)[np.searchsorted(days, after, side="right")]


@lru_cache(maxsize=16)
def _told(library: Exchange | None, rows: Sequence[Amendment]) -> _Told:
    first, last, days = 1, 0, list[date]()
    if library:
        days = sorted({*library.days, *library.unannounced})
        first, last = map(int, _numbers([library.first, library.last]))
    # A statement counts from the whole second after it was made.
    moments = np.array([-int(-row.known_at.timestamp() // 1) for row in rows], np.int64)
    key = _numbers([row.session for row in rows]) * _MOMENTS + moments
    trades = np.array([row.opens is not None for row in rows], bool)
    return _Told(_numbers(days), first, last, key, trades)


def _numbers(days: Sequence[date]) -> Whole:
    return np.array(days, "datetime64[D]").astype(np.int64)
