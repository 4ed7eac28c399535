"""The rows before a decision that a model may look back on. Light: numpy only.

A window holds the newest `window` rows of one instrument up to the decision, oldest first. It
reaches back REACH days per row at most, so that a long halt cuts it short, and everybody who
loads that many days gathers the same one. Minutes look back within their session, as features do.
What is not there is null.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.forecast import Values

if TYPE_CHECKING:
    import pyarrow as pa

REACH = 3


def lookback(window: int, interval: str = "1d") -> timedelta:
    """How far before its decision's session a window of rows of that interval may begin."""
    return timedelta(days=REACH * (window - 1) if interval == "1d" else 0)


@dataclass(frozen=True)
class History:
    """Feature rows (m, k), float32, sorted by instrument and time; nulls are NaN.

    days: sessions (m,). starts: (m,), where the rows begin that each row may look back on: those
    of its instrument, and of minutes those of its session.
    """

    values: Values
    days: NDArray[np.datetime64]
    starts: NDArray[np.intp]

    @classmethod
    def of(
        cls, instruments: NDArray[np.str_], days: NDArray[np.datetime64], values: Values
    ) -> "History":
        """A history of rows that are sorted by instrument and time.

        Rows are minutes where an instrument has several in a session.
        """
        other = np.append(True, instruments[1:] != instruments[:-1])[: len(days)]
        another = other | np.append(True, days[1:] != days[:-1])[: len(days)]
        begins = other if another.all() else another
        places = np.where(begins, np.arange(len(days)), 0)
        return cls(values, days, np.maximum.accumulate(places))

    @classmethod
    def of_matrix(cls, matrix: "pa.Table", features: Sequence[str]) -> tuple["pa.Table", "History"]:
        """A feature matrix in the order of its history, and the history of those features.

        Training and serving gather their rows here and nowhere else.
        """
        whole = matrix.sort_by([("instrument_id", "ascending"), ("as_of", "ascending")])
        values = np.empty((whole.num_rows, len(features)), dtype=np.float32)
        for place, name in enumerate(features):
            values[:, place] = whole[name].to_numpy()
        names = np.array(whole["instrument_id"].to_pylist(), dtype=np.str_)
        days = np.asarray(whole["session"].to_numpy(), dtype="datetime64[D]")
        return whole, cls.of(names, days, values)

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
