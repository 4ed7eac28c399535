"""Which of two prices a position reaches first, and when: the walk behind labels with classes.

- A session that opens at or beyond a price reaches it at its open, and is where the position ends.
- A bar that reaches both visited the extreme nearer to its open first; when both are equally near,
  the order cannot be known: neutral, at the bar's close.
- None reached: neutral, at the last close.
"""

import numpy as np

from features.kernels import compiled
from features.label import DOWN, NEUTRAL, UP, Held
from features.series import Values, Whole


def first_touch(held: Held, lower: Values, upper: Values) -> tuple[Values, Values]:
    """The class and total return of each position held until one of two prices is reached.

    lower, upper: prices per position, in the panel's shares. Dividends since the entry count: it
    is the position with them that reaches a price.
    """
    columns = held.panel.columns
    names = ("open", "high", "low", "close", "dividend")
    bars = np.ascontiguousarray(np.stack([columns[name] for name in names]))
    value, total_return = np.full(len(lower), float(NEUTRAL)), np.zeros(len(lower))
    _walk(bars, held.decided, held.last, (lower, upper), (value, total_return))
    return value, total_return


@compiled
def _walk(
    bars: Values,
    decided: Whole,
    last: Whole,
    prices: tuple[Values, Values],
    out: tuple[Values, Values],
) -> None:
    lower, upper = prices
    value, total_return = out
    for i in range(len(decided)):
        if last[i] > decided[i]:
            value[i], total_return[i] = _reached(
                bars, decided[i] + 1, last[i], (lower[i], upper[i])
            )


@compiled
def _reached(
    bars: Values, first: int, last: int, prices: tuple[float, float]
) -> tuple[float, float]:
    lower, upper = prices
    opens, highs, lows, closes, dividends = bars
    entry, units = opens[first], 1.0
    for j in range(first, last + 1):
        # Who buys at the open of an ex-date gets no dividend.
        paid = dividends[j] if j > first else 0.0
        start, close = units * (opens[j] + paid), units * (closes[j] + paid)
        if start >= upper:
            return UP, start / entry - 1.0
        if start <= lower:
            return DOWN, start / entry - 1.0
        above = units * (highs[j] + paid) >= upper
        below = units * (lows[j] + paid) <= lower
        if above and below:
            rise, fall = highs[j] - opens[j], opens[j] - lows[j]
            if rise == fall:
                return NEUTRAL, close / entry - 1.0
            above, below = rise < fall, fall < rise
        if above:
            return UP, upper / entry - 1.0
        if below:
            return DOWN, lower / entry - 1.0
        units *= 1.0 + paid / closes[j]
    return NEUTRAL, units * closes[last] / entry - 1.0
