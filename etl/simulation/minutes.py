"""Minutes of a simulated session: each daily bar is exactly the aggregate of its minutes."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.tables import BARS
from contracts.time.calendar import session_close, session_open
from etl.simulation.market import Path, Reals

_MINUTE = timedelta(minutes=1)
_WIGGLE = 0.3  # of the day's range, the deviation of the walk between open and close


@dataclass(frozen=True)
class Day:
    """The daily bar that the minutes add up to."""

    open: float
    high: float
    low: float
    close: float
    volume: float

    @classmethod
    def of(cls, path: Path, place: int) -> "Day":
        """The bar at that place of a path."""
        names = ("open", "high", "low", "close", "volume")
        return cls(*(float(getattr(path, name)[place]) for name in names))


def minutes(day: Day, count: int, draw: np.random.Generator) -> dict[str, Reals]:
    """open, high, low, close, volume of `count` minutes.

    A walk from the day's open to its close, kept inside the day's range, visits high and low
    once each; volume is heavier at both ends of the day and adds up to the day's.
    """
    walk = np.concatenate([[0.0], np.cumsum(draw.standard_normal(count))])
    ramp = np.linspace(0.0, 1.0, count + 1)
    bridge = (walk - ramp * walk[-1]) * (day.high - day.low) * _WIGGLE / count**0.5
    prices = np.round(day.open + ramp * (day.close - day.open) + bridge, 4)
    prices = np.clip(prices, day.low, day.high)
    prices[0], prices[-1] = day.open, day.close
    opens, closes = prices[:-1], prices[1:]
    reach = np.abs(draw.standard_normal((2, count))) * (day.high - day.low) / (4 * count**0.5)
    highs = np.minimum(np.round(np.maximum(opens, closes) + reach[0], 4), day.high)
    lows = np.maximum(np.round(np.minimum(opens, closes) - reach[1], 4), day.low)
    highs[highs.argmax()] = day.high
    lows[lows.argmin()] = day.low
    shares = 1.0 + 2.0 * (2 * np.linspace(0.0, 1.0, count) - 1) ** 2
    volume = draw.multinomial(int(day.volume), shares / shares.sum()).astype(np.float64)
    return {"open": opens, "high": highs, "low": lows, "close": closes, "volume": volume}


def bars(
    instrument: str, source: str, calendar: str, session: date, day: Day, draw: np.random.Generator
) -> pa.Table:
    """The minutes as rows of the table bars, each known at its end."""
    opens, closes = session_open(calendar, session), session_close(calendar, session)
    count = int((closes - opens) / _MINUTE)
    ends: list[datetime] = [opens + _MINUTE * (i + 1) for i in range(count)]
    constant: dict[str, Any] = {"instrument_id": instrument, "interval": "1m", "session": session}
    constant |= {"source": source, "adjustment": "none"}
    columns: dict[str, Any] = {name: [value] * count for name, value in constant.items()}
    columns |= {"start_time": [end - _MINUTE for end in ends], "event_time": ends}
    columns |= {"known_at": ends, **minutes(day, count, draw)}
    return pa.table({name: columns[name] for name in BARS.names}, schema=BARS.schema)
