"""The index of a universe: what its members on one exchange returned on average, equally weighted.

It is made of bars and actions as they were first told, each at its own moment, and never restated:
a row of the past holds what was known then, whatever became known later.
"""

from dataclasses import dataclass

import numpy as np

from features.panel.panel import Times
from features.panel.series import Values


@dataclass(frozen=True)
class Index:
    """Levels at an exchange's moments, in order; that before the first of them is 1."""

    as_of: Times
    level: Values


def index_of(as_of: Times, value: Values) -> Index:
    """The index whose return at a moment is the mean of the members' returns told at it."""
    moments, place = np.unique(as_of, return_inverse=True)
    total = np.bincount(place, np.nan_to_num(value), len(moments)).astype(np.float64)
    count = np.bincount(place, np.isfinite(value), len(moments)).astype(np.float64)
    growth = 1.0 + total / np.maximum(count, 1.0)
    return Index(moments, np.cumprod(growth, dtype=np.float64))


def index_column(as_of: Times, index: Index | None) -> dict[str, Values]:
    """Per row of an instrument its index's return since the row before; null in the first row.

    Null without an index, and where a row lies at a moment that the index does not know.
    """
    level = np.full(len(as_of), np.nan)
    if index is not None and len(index.as_of):
        place = np.minimum(np.searchsorted(index.as_of, as_of), len(index.as_of) - 1)
        level = np.where(index.as_of[place] == as_of, index.level[place], np.nan)
    grown = np.append(np.nan, level[1:] / level[:-1] - 1.0)
    return {"index_return": grown[: len(as_of)]}
