"""Panel columns of calendar and clock: when a row's bar closed, as its exchange counts time."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from contracts.time import calendar
from contracts.time.exchange import Exchange
from features.inputs.rest import announced_rest
from features.panel.panel import Times
from features.panel.series import Values

_DAY = np.timedelta64(1, "D")
_MOMENT = "datetime64[us]"


def clock_columns(name: str, session: Times, as_of: Times) -> dict[str, Values]:
    """The columns from `minute` to `rest_announced` of rows of one exchange's calendar.

    session, as_of: per row, its session and the moment (UTC) at which its bar closed. An exchange
    that never closes has no rest. A row on a day that is no session has nulls there.
    """
    days = _sessions(calendar.exchange(name))
    place = np.minimum(np.searchsorted(days.session, session), len(days.session) - 1)
    local = pl.Series(as_of).dt.replace_time_zone("UTC").dt.convert_time_zone(days.zone)
    dates = pl.Series(session)
    listed = days.session[place] == session
    gone = (as_of - days.opened[place]) / (days.closed[place] - days.opened[place])
    out = {
        "minute": local.dt.minute().to_numpy(),
        "hour": local.dt.hour().to_numpy(),
        "weekday": dates.dt.weekday().to_numpy() - 1,
        "month": dates.dt.month().to_numpy(),
        "elapsed": np.where(listed, gone, np.nan),
        "rested": np.where(listed, days.rested[place], np.nan),
        "rest": np.where(listed, days.rest[place], np.nan),
        "rest_announced": np.where(listed, announced_rest(name, session, as_of), np.nan),
    }
    return {column: values.astype(np.float64) for column, values in out.items()}


@dataclass(frozen=True)
class _Sessions:
    zone: str
    session: Times
    opened: Times
    closed: Times
    rested: Values
    rest: Values


@lru_cache(maxsize=16)
def _sessions(exchange: Exchange) -> _Sessions:
    session = np.array(exchange.days, dtype="datetime64[D]")
    opened, closed = (
        np.array([hours[side].replace(tzinfo=None) for hours in exchange.hours.values()], _MOMENT)
        for side in (0, 1)
    )
    between = np.diff(session) / _DAY - 1.0
    rested, rest = np.append(np.nan, between), np.append(between, np.nan)
    return _Sessions(exchange.zone, session, opened, closed, rested, rest)
