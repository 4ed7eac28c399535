"""Macro values in vintages, and quarterly filings. Neither foretells a price: none is planted."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from contracts.time.calendar import session_open
from etl.simulation.market import EPOCH, Market

_RELEASED_ON = {"SIM:INFLATION": 12, "SIM:PAYROLLS": 5, "SIM:OUTPUT": 25}  # day of the month
_LEVELS = {"SIM:INFLATION": (2.5, 0.3), "SIM:PAYROLLS": (150.0, 60.0), "SIM:OUTPUT": (2.0, 0.8)}
# The first value and two revisions, a month apart, as shares of the series' own deviation.
_WEIGHTS = np.array([1.0, 0.2, 0.1])
_FILED_AFTER = 35  # days after the quarter's end
_TEXT = (
    "{name} files its report for the {period} ended {day:%d %B %Y}. Revenue {revenue} by "
    "{growth:.1f} per cent over the year before; the operating margin was {margin:.1f} per cent. "
    "{order} The company has no material legal proceedings to report."
)
_ORDERS = (
    "Orders on hand cover the next two quarters.",
    "Orders on hand are in line with those of a year ago.",
    "Management gives no outlook on orders.",
)


@dataclass(frozen=True)
class Value:
    """One vintage of a macro value: of which month (its end), and known since when."""

    series: str
    event_time: datetime
    known_at: datetime
    value: float


@dataclass(frozen=True)
class Filing:
    """A report of an instrument for a quarter."""

    form: str
    period_end: date
    filed_at: datetime
    text: str


def _months(after: date, until: date) -> Iterator[date]:
    """First days of the months from `after`'s up to `until`'s."""
    month = after.replace(day=1)
    while month <= until:
        yield month
        month = _later(month, 1)


def _later(month: date, count: int) -> date:
    number = month.year * 12 + month.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def _session_from(market: Market, day: date) -> date:
    return market.session_from(day)


def values(market: Market, first: date, last: date) -> Iterator[Value]:
    """The months first released from the session `first` to `last`, each with its revisions.

    A value is released an hour before an open; a revision that changes nothing is none.
    """
    for series in _RELEASED_ON:
        level, deviation = _LEVELS[series]
        draws = market.stream(series).standard_normal((12 * 200, len(_WEIGHTS)))
        for month in _months(first, last):
            if not first <= _release(market, series, month) <= last:
                continue
            about = _later(month, -1)
            drawn = draws[(about.year - EPOCH.year + 1) * 12 + about.month - 1]
            ended = datetime.combine(month, time(), UTC)
            before = None
            for vintage in range(len(_WEIGHTS)):
                value = round(level + deviation * float(np.cumsum(drawn * _WEIGHTS)[vintage]), 3)
                released = _release(market, series, _later(month, vintage))
                known_at = session_open(market.calendar, released) - timedelta(hours=1)
                if value != before:
                    yield Value(series, ended, known_at, value)
                before = value


def _release(market: Market, series: str, month: date) -> date:
    return _session_from(market, month.replace(day=_RELEASED_ON[series]))


def filings(
    market: Market, instrument: str, name: str, first: date, last: date
) -> Iterator[Filing]:
    """The reports filed in the sessions from `first` to `last`: 10-K for the year, else 10-Q."""
    draws = market.stream(instrument, "filings").random((4 * 200, 4))
    for month in _months(first - timedelta(days=100), last):
        if month.month not in (1, 4, 7, 10):
            continue
        ended = month - timedelta(days=1)
        drawn = draws[(month.year - EPOCH.year) * 4 + month.month // 3]
        filed = _session_from(market, ended + timedelta(days=_FILED_AFTER + int(drawn[0] * 10)))
        if not first <= filed <= last:
            continue
        growth = 20 * float(drawn[1]) - 8
        yearly = month.month == 1
        text = _TEXT.format(
            name=name,
            period="year" if yearly else "quarter",
            day=ended,
            revenue="rose" if growth >= 0 else "fell",
            growth=abs(growth),
            margin=5 + 20 * float(drawn[2]),
            order=_ORDERS[int(drawn[3] * len(_ORDERS))],
        )
        at = session_open(market.calendar, filed) - timedelta(minutes=30)
        yield Filing("10-K" if yearly else "10-Q", ended, at, text)
