"""The return of a position held for the whole horizon."""

from collections.abc import Mapping
from dataclasses import dataclass

from features.label import Held, Label, label, return_before
from features.panel.panel import Panel
from features.panel.series import Values


@label("total_return")
@dataclass(frozen=True)
class TotalReturn(Label):
    """From the entry to the close of the horizon's last session, dividends reinvested; a fraction.

    It is never smoothed: means of neighbouring returns overlap and foretell each other.
    """

    horizon: int = 1

    def beside(self, panel: Panel) -> Mapping[str, Values]:
        """The newest settled return, and the one before the decision."""
        return {"return_before": return_before(panel), **super().beside(panel)}

    def outcome(self, held: Held) -> tuple[Values, Values]:
        """The total return, twice."""
        found = held.total_return
        return found, found
