"""The rows before a decision that a model may look back on. Light: numpy only.

A window holds the newest `window` rows of one instrument up to the decision, oldest first. It
reaches back REACH days per row at most, so that a long halt cuts it short, and everybody who
loads that many days gathers the same one. What is not there is null.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from training.forecast import Values

REACH = 3


def lookback(window: int) -> timedelta:
    """How far before its decision a window may begin."""
    return timedelta(days=REACH * (window - 1))


@dataclass(frozen=True)
class History:
    """Feature rows (m, k), float32, sorted by instrument and session; nulls are NaN.

    days: sessions (m,). starts: (m,), where the rows of each row's instrument begin.
    """

    values: Values
    days: NDArray[np.datetime64]
    starts: NDArray[np.intp]

    @classmethod
    def of(
        cls, instruments: NDArray[np.str_], days: NDArray[np.datetime64], values: Values
    ) -> "History":
        """A history of rows that are sorted by instrument and session."""
        _, starts, place = np.unique(instruments, return_index=True, return_inverse=True)
        return cls(values, days, starts[place])

    def windows(self, rows: NDArray[np.intp], window: int) -> Values:
        """The windows (n, window, k) that end in those rows (n,)."""
        places = rows[:, None] - np.arange(window - 1, -1, -1)
        inside = places >= self.starts[rows][:, None]
        places = np.where(inside, places, 0)
        oldest = self.days[rows] - np.timedelta64(lookback(window))
        inside &= self.days[places] >= oldest[:, None]
        found: Values = self.values[places]
        found[~inside] = np.nan
        return found
