"""How far a position went against its holder before the horizon ended."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.label import Held, Label, label
from features.panel.series import Values


@label("adverse_excursion")
@dataclass(frozen=True)
class AdverseExcursion(Label):
    """The maximum adverse excursion: the worst total return on the way, at a low or a high.

    A fraction of the entry, 0 or less: of a long position the deepest low, of a short one the
    highest high with its sign turned.
    """

    horizon: int = 5
    side: Literal["long", "short"] = "long"

    def outcome(self, held: Held) -> tuple[Values, Values]:
        """The excursion, and the total return of the long position."""
        worst, column, sign = np.zeros(len(held.decided)), "low", 1.0
        if self.side == "short":
            column, sign = "high", -1.0
        for step in range(1, self.horizon + 1):
            worst = np.minimum(worst, sign * (held.worth(column, step) - 1.0))
        return worst, held.total_return
