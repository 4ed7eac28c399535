"""Whether the price comes to its support, to its resistance, to both or to neither."""

from dataclasses import dataclass

import numpy as np

from features.label import Held, Label, label
from features.panel import candidates
from features.panel.panel import Panel
from features.panel.series import TOLERANCE, Values

NEITHER, SUPPORT, RESISTANCE, BOTH = range(4)


@label("levels_touched", classes=True, from_close=True)
@dataclass(frozen=True)
class LevelsTouched(Label):
    """0 neither, 1 support, 2 resistance, 3 both, in whatever order, until the horizon ends.

    The levels are those of features/panel/candidates.py over `window` sessions up to the decision.
    A low or high that meets one to the tolerance has touched it, and so has whatever lies beyond.
    Dividends lower no level: what goes ex counts as not lost.
    """

    # Levels are prices: they stay where they were known when a close is restated.
    version = 2

    horizon: int = 5
    window: int = 20

    @property
    def lookback(self) -> int:  # type: ignore[override]
        """The window: the average range lies within it."""
        return self.window

    def basis(self, panel: Panel) -> Values:
        """Support and resistance over the decision's close (2, rows)."""
        return candidates.of_panel(panel, self.window)

    def outcome(self, held: Held) -> tuple[Values, Values]:
        """Which of them were touched, and the total return of the whole horizon."""
        support, resistance = self._over_entry(held)
        down, up = (np.zeros(len(held.decided), bool) for _ in range(2))
        for step in range(1, self.horizon + 1):
            down |= held.worth("low", step) <= support + TOLERANCE
            up |= held.worth("high", step) >= resistance - TOLERANCE
        found = SUPPORT * (down & held.traded) + RESISTANCE * (up & held.traded)
        return found.astype(np.float64), held.total_return

    def _over_entry(self, held: Held) -> Values:
        columns, first = held.panel.columns, held.row(1)
        # The buyer at the open of an ex-date gets no dividend, and the price is lower by it.
        gone = np.where(held.traded, columns["dividend"][first], 0.0)
        level = held.basis * columns["close"][held.decided] - gone
        return np.asarray(level / columns["open"][first])
