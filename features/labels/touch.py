"""Which of two prices a position reaches first, and when: the walk behind labels with classes.

- A session that opens at or beyond a price reaches it at its open, and is where the position ends.
- A bar that reaches both leaves open what came first. Its minutes tell, where the panel has them;
  else an up candle was at its low first and a down candle at its high (docs/labels.md measures
  it). A candle that closes where it opened says nothing: neutral, at the bar's close.
- None reached: neutral, at the last close.

Prices are equal to the tolerance. Version 1 of the labels compares them bit by bit, asks no
minutes, and holds the extreme nearer to the open for the earlier one.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from features.label import DOWN, NEUTRAL, UP, Held, Label, return_before
from features.panel.kernels import compiled
from features.panel.panel import Inside, Panel
from features.panel.series import TOLERANCE, Values, Whole

# Arrays of a panel as the compiled walk takes them: bars per row, and finer ones inside of rows.
Paths: TypeAlias = tuple[Values, Whole, Values]


class TouchLabel(Label):
    """A label that says which of two prices the position reached first, and what it gained by it.

    version: 2, or 1 for the rules of before.
    """

    @abstractmethod
    def prices(self, held: Held) -> tuple[Values, Values]:
        """The lower and the upper price of each position, in the panel's shares."""

    def beside(self, panel: Panel) -> Mapping[str, Values]:
        """The newest settled class, and the return before the decision."""
        return {"return_before": return_before(panel), **super().beside(panel)}

    def outcome(self, held: Held) -> tuple[Values, Values]:
        """The class of the price reached first, and the return at which it was."""
        value, total_return, _ = _touch(held, *self.prices(held), self.version)
        return value, total_return

    def ambiguous(self, held: Held) -> Whole:
        """The row whose bar reached both prices, where no minutes tell the order."""
        return _touch(held, *self.prices(held), self.version)[2]


def _touch(held: Held, lower: Values, upper: Values, version: int) -> tuple[Values, Values, Whole]:
    # Dividends since the entry count: it is the position with them that reaches a price.
    panel, count = held.panel, len(lower)
    names = ("open", "high", "low", "close", "dividend")
    bars = np.ascontiguousarray(np.stack([panel.columns[name] for name in names]))
    inside = panel.inside if version > 1 and panel.inside is not None else _nothing(bars.shape[1])
    value, total_return = np.full(count, float(NEUTRAL)), np.zeros(count)
    ambiguous = np.full(count, -1)
    _walk(
        (bars, inside.offsets, inside.bars),
        (held.decided, held.last),
        (lower, upper),
        TOLERANCE if version > 1 else 0.0,
        (value, total_return, ambiguous),
    )
    return value, total_return, ambiguous


def _nothing(rows: int) -> Inside:
    return Inside(np.zeros(rows + 1, np.int64), np.empty((4, 0)))


@compiled
def _walk(
    paths: Paths,
    spans: tuple[Whole, Whole],
    prices: tuple[Values, Values],
    tolerance: float,
    out: tuple[Values, Values, Whole],
) -> None:
    decided, last = spans
    value, total_return, ambiguous = out
    for i in range(len(decided)):
        if last[i] > decided[i]:
            value[i], total_return[i], ambiguous[i] = _reached(
                paths, decided[i] + 1, last[i], (prices[0][i], prices[1][i]), tolerance
            )


@compiled
def _reached(
    paths: Paths, first: int, last: int, prices: tuple[float, float], tolerance: float
) -> tuple[float, float, int]:
    lower, upper = prices[0], prices[1]
    # What lies this near to a price has reached it.
    to_lower, to_upper = lower + tolerance * abs(lower), upper - tolerance * abs(upper)
    opens, highs, lows, closes, dividends = paths[0]
    entry, units, open_row = opens[first], 1.0, -1
    for j in range(first, last + 1):
        # Who buys at the open of an ex-date gets no dividend.
        paid = dividends[j] if j > first else 0.0
        start, close = units * (opens[j] + paid), units * (closes[j] + paid)
        if start >= to_upper:
            return UP, start / entry - 1.0, open_row
        if start <= to_lower:
            return DOWN, start / entry - 1.0, open_row
        above = units * (highs[j] + paid) >= to_upper
        below = units * (lows[j] + paid) <= to_lower
        if above and below:
            known, side = _inside(paths, j, (to_lower / units - paid, to_upper / units - paid))
            if not known:
                open_row = j
                side = _by_rule(opens[j], highs[j], lows[j], closes[j], tolerance)
            if side == NEUTRAL:
                return NEUTRAL, close / entry - 1.0, open_row
            above, below = side == UP, side == DOWN
        if above:
            return UP, upper / entry - 1.0, open_row
        if below:
            return DOWN, lower / entry - 1.0, open_row
        units *= 1.0 + paid / closes[j]
    return NEUTRAL, units * closes[last] / entry - 1.0, open_row


@compiled
def _inside(paths: Paths, row: int, prices: tuple[float, float]) -> tuple[bool, int]:
    offsets, bars = paths[1], paths[2]
    above, below = -1, -1
    for k in range(offsets[row], offsets[row + 1]):
        if above < 0 and bars[1, k] >= prices[1]:
            above = k
        if below < 0 and bars[2, k] <= prices[0]:
            below = k
    if above < 0 or below < 0:  # they are not all there
        return False, NEUTRAL
    if above == below:  # known only where it opened beyond one of them
        rose, fell = bars[0, above] >= prices[1], bars[0, above] <= prices[0]
        return rose or fell, UP if rose else DOWN
    return True, UP if above < below else DOWN


@compiled
def _by_rule(opened: float, high: float, low: float, close: float, tolerance: float) -> int:
    if tolerance > 0.0:
        body = close - opened
        if abs(body) < tolerance * opened:
            return NEUTRAL
        return DOWN if body > 0.0 else UP
    rise, fall = high - opened, opened - low
    if rise == fall:
        return NEUTRAL
    return UP if rise < fall else DOWN
