"""The return of a position held for the whole horizon."""

from dataclasses import dataclass

from features.label import Held, Label, label
from features.panel.series import Values


@label("total_return")
@dataclass(frozen=True)
class TotalReturn(Label):
    """From the entry to the close of the horizon's last session, dividends reinvested; a fraction.

    It is never smoothed: means of neighbouring returns overlap and foretell each other.
    """

    horizon: int = 1

    def outcome(self, held: Held) -> tuple[Values, Values]:
        """The total return, twice."""
        found = held.total_return
        return found, found
