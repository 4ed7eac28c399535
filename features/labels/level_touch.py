"""Which level the price comes to next: its support, its resistance, or neither."""

from dataclasses import dataclass

import numpy as np

from features.label import Held, label
from features.labels.touch import TouchLabel
from features.labels.triple_barrier import volatility
from features.panel import roll
from features.panel.panel import Panel
from features.panel.series import Segments, Series, Values


@label("level_touch", classes=True, from_close=True)
@dataclass(frozen=True)
class LevelTouch(TouchLabel):
    """Down when support is touched first, up when resistance is, else neutral.

    Support is the lowest low of `window` sessions up to the decision, resistance the highest high,
    each at least `least` volatilities of a session away from the close, so that the price lies
    between them. Dividends lower no level: what goes ex counts as not lost.
    """

    horizon: int = 5
    window: int = 20
    least: float = 0.5
    version: int = 2

    @property
    def lookback(self) -> int:  # type: ignore[override]
        """The rows of the volatility's returns."""
        return self.window + 1

    def basis(self, panel: Panel) -> Values:
        """Support and resistance over the decision's close (2, rows)."""
        segments = Segments(panel.offsets, "instrument")
        high, low = (Series.of(panel.columns[name], segments) for name in ("high", "low"))
        close = panel.columns["close"]
        away = self.least * volatility(panel, self.window, self.version)
        away = np.where(away > 0.0, away, np.nan)
        support = np.minimum(np.asarray(roll.min(low, self.window)) / close, 1.0 - away)
        return np.stack(
            [support, np.maximum(np.asarray(roll.max(high, self.window)) / close, 1.0 + away)]
        )

    def prices(self, held: Held) -> tuple[Values, Values]:
        """Support and resistance."""
        columns, first = held.panel.columns, held.row(1)
        close = columns["close"][held.decided]
        # The buyer at the open of an ex-date gets no dividend, and the price is lower by it.
        gone = np.where(held.traded, columns["dividend"][first], 0.0)
        support, resistance = held.basis * close - gone
        return support, resistance
