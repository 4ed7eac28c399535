"""Panel columns of calendar and clock: when a row's bar closed, as its exchange counts time."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from contracts.time import calendar
from contracts.time.exchange import Exchange
from features.input import Columns, Known, Reading, Rows, panel_input
from features.panel.panel import Flags, Times
from features.panel.series import Values, Whole

_DAY = np.timedelta64(1, "D")
_MOMENT = "datetime64[us]"


@panel_input(
    columns={
        "minute": "minute of the hour at which the bar closes, in the exchange's time zone",
        "hour": "hour of the day at which it closes, likewise",
        "weekday": "day of the week of the session, 0 is Monday",
        "month": "month of the session, 1 to 12",
        "elapsed": "share of the session gone by at the bar's close, 1 for a bar of a whole one",
        "rested": "days without a session just before this one",
    },
    reading=Reading(alike=True),
)
def clock(rows: Rows, known: Known) -> Columns:  # noqa: ARG001
    """By the exchange's calendar; one that never closes has no rest.

    A row on a day that is no session has nulls in `elapsed` and `rested`.
    """
    days = sessions_of(calendar.exchange(rows.calendar))
    place, listed = days.places(rows.session)
    local = pl.Series(rows.as_of).dt.replace_time_zone("UTC").dt.convert_time_zone(days.zone)
    dates = pl.Series(rows.session)
    opened, closed = days.opened[place], days.closed[place]
    gone = (rows.as_of - opened) / (closed - opened)
    out = {
        "minute": local.dt.minute().to_numpy(),
        "hour": local.dt.hour().to_numpy(),
        "weekday": dates.dt.weekday().to_numpy() - 1,
        "month": dates.dt.month().to_numpy(),
        "elapsed": np.where(listed, gone, np.nan),
        "rested": np.where(listed, days.rested[place], np.nan),
    }
    return {column: values.astype(np.float64) for column, values in out.items()}


@dataclass(frozen=True)
class Sessions:
    """The sessions of an exchange that are known now, with the days of rest around each."""

    zone: str
    session: Times
    opened: Times
    closed: Times
    rested: Values
    rest: Values

    def places(self, session: Times) -> tuple[Whole, Flags]:
        """Where among them those sessions are, and which are none of them."""
        place = np.minimum(np.searchsorted(self.session, session), len(self.session) - 1)
        return place, self.session[place] == session


@lru_cache(maxsize=16)
def sessions_of(exchange: Exchange) -> Sessions:
    """The sessions of an exchange, as `exchange_calendars` and statements have them."""
    session = np.array(exchange.days, dtype="datetime64[D]")
    opened, closed = (
        np.array([hours[side].replace(tzinfo=None) for hours in exchange.hours.values()], _MOMENT)
        for side in (0, 1)
    )
    between = np.diff(session) / _DAY - 1.0
    rested, rest = np.append(np.nan, between), np.append(between, np.nan)
    return Sessions(exchange.zone, session, opened, closed, rested, rest)
