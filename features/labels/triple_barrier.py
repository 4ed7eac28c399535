"""The triple barrier: what became of a position that is closed at a gain, at a loss, or in time."""

from dataclasses import dataclass

import numpy as np

from features.label import Held, label
from features.labels.touch import TouchLabel
from features.panel import roll
from features.panel.panel import Panel
from features.panel.series import TOLERANCE, Segments, Series, Values


@label("triple_barrier", classes=True)
@dataclass(frozen=True)
class TripleBarrier(TouchLabel):
    """Which of two barriers the position touches first (features/labels/touch.py), else neutral.

    They lie at +-(width x volatility x sqrt(horizon)) around the entry; the volatility is that of
    `window` daily total returns, as known at the decision.
    """

    horizon: int = 1
    width: float = 0.5
    window: int = 20
    version: int = 2

    @property
    def lookback(self) -> int:  # type: ignore[override]
        """The rows of the volatility's returns."""
        return self.window + 1

    def basis(self, panel: Panel) -> Values:
        """The distance of the barriers as a return (1, rows); null where nothing moved."""
        width = volatility(panel, self.window, self.version) * self.width * np.sqrt(self.horizon)
        return np.where(width > 0.0, width, np.nan)[None]

    def prices(self, held: Held) -> tuple[Values, Values]:
        """The barriers."""
        entry = held.panel.columns["open"][held.row(1)]
        width = held.basis[0]
        return entry * (1.0 - width), entry * (1.0 + width)


def volatility(panel: Panel, window: int, version: int) -> Values:
    """The standard deviation of `window` daily total returns up to each row.

    version: the label's; 1 takes rounding for a return.
    """
    tolerance = TOLERANCE if version > 1 else 0.0
    segments = Segments(panel.offsets, "instrument", tolerance=tolerance)
    total = Series.of(panel.columns["total"], segments)
    return np.asarray(roll.std(roll.change(total, 1), window, 1.0))
