"""The triple barrier: what became of a position entered at the next open.

A decision at a session's close enters at the open of the instrument's next traded session and
looks at `horizon` traded sessions, the entry's included; halted ones are skipped. Two barriers lie
at +-(width x volatility x sqrt(horizon)) around the entry, in total returns (dividends that go ex
after the entry belong to the position). The class is the barrier touched first:

- a later session that opens beyond a barrier touches it at its open, at that price;
- a bar that reaches both visited the extreme nearer to its open first; when both are equally
  near, the order cannot be known: neutral, at the bar's close;
- none touched: neutral, at the last close.

The outcome is settled at the close of the horizon's last session, also when a barrier was touched
earlier. An instrument that is delisted before settles at its last traded price, flagged.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from features import roll
from features.kernels import compiled
from features.panel import Flags, Panel, Times
from features.series import Segments, Series, Values, Whole

DOWN, NEUTRAL, UP = 0, 1, 2


@dataclass(frozen=True)
class TripleBarrier:
    """A label: sessions held, barriers in volatilities, sessions over which that is measured."""

    horizon: int = 1
    width: float = 0.5
    window: int = 20

    @property
    def reach(self) -> int:
        """Rows needed up to a decision to know its barriers and the newest settled label."""
        return self.window + 1 + self.horizon

    @property
    def name(self) -> str:
        """The label in words, for manifests."""
        return f"triple_barrier(horizon={self.horizon}, width={self.width}, window={self.window})"

    @property
    def identity(self) -> dict[str, object]:
        """What a view is hashed over."""
        return {"triple_barrier": asdict(self)}


@dataclass(frozen=True)
class Labels:
    """Per row of a panel: class (0, 1, 2), total return, time of settlement, delisted.

    settled: False where the outcome is not known, or where there were no barriers; the other
    columns mean nothing there.
    """

    settled: Flags
    label: NDArray[np.int64]
    total_return: Values
    settled_at: Times
    delisted: Flags


def barriers(panel: Panel, rule: TripleBarrier) -> Values:
    """The distance of the barriers as a return, per row; null without enough history."""
    segments = Segments(panel.offsets, "instrument")
    total = Series.of(panel.columns["total"], segments)
    volatility = roll.std(roll.change(total, 1), rule.window)
    width = np.asarray(volatility) * rule.width * np.sqrt(rule.horizon)
    return np.where(width > 0.0, width, np.nan)


def settle(panel: Panel, rule: TripleBarrier, width: Values) -> Labels:
    """The outcome of a decision on each row, with barriers at `width`."""
    rows = len(panel.session)
    label, last = np.full(rows, -1), np.full(rows, -1)
    total_return, delisted = np.full(rows, np.nan), np.zeros(rows, bool)
    ended = ~np.isnat(panel.ended)
    columns = (panel.columns[name] for name in ("open", "high", "low", "close", "dividend"))
    bars = np.ascontiguousarray(np.stack(list(columns)))
    _settle(bars, panel.offsets, ended, width, rule.horizon, (label, last, total_return, delisted))
    settled_at = panel.as_of[last]
    gone = panel.ended[panel.segment]
    settled_at = np.where(delisted, np.maximum(settled_at, gone), settled_at)
    return Labels(label >= 0, label, total_return, settled_at, delisted)


def persistence(panel: Panel, rule: TripleBarrier) -> NDArray[np.int64]:
    """Per row: the class of the decision whose horizon ends in this row, -1 when there is none.

    It is the newest settled label of the instrument, as it was known in the row's segment.
    """
    label = settle(panel, rule, barriers(panel, rule)).label
    before = np.arange(len(label)) - rule.horizon
    return np.where(panel.place >= rule.horizon, label[before], -1)


@compiled
def _settle(
    bars: Values,
    offsets: Whole,
    ended: Flags,
    width: Values,
    horizon: int,
    out: tuple[Whole, Whole, Values, Flags],
) -> None:
    label, last, total_return, delisted = out
    for s in range(len(offsets) - 1):
        for i in range(offsets[s], offsets[s + 1]):
            cut = i + horizon >= offsets[s + 1]
            if np.isnan(width[i]) or (cut and not ended[s]):
                continue
            last[i] = offsets[s + 1] - 1 if cut else i + horizon
            delisted[i] = cut
            label[i], total_return[i] = _outcome(bars, i, last[i], width[i])


@compiled
def _outcome(bars: Values, decided: int, last: int, width: float) -> tuple[int, float]:
    if last == decided:  # delisted before the entry: nothing was bought
        return NEUTRAL, 0.0
    opens, highs, lows, closes, dividends = bars
    entry, units = opens[decided + 1], 1.0
    upper, lower = entry * (1.0 + width), entry * (1.0 - width)
    for j in range(decided + 1, last + 1):
        # Who buys at the open of an ex-date gets no dividend.
        paid = dividends[j] if j > decided + 1 else 0.0
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
