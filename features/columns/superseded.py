"""What edition 1 meant by some names: views of before hold on to it."""

import numpy as np

from features.feature import Inputs, superseded
from features.panel import roll
from features.panel.series import Values


@superseded(lookback="w", w=(60,), inputs=("index_return", "return_1"), unit="ratio")
def beta(x: Inputs, w: int) -> Values:
    """As today's, but null for a price that never moved."""
    together = roll.corr(x.return_1, x.index_return, w)
    return together * roll.std(x.return_1, w) / roll.std(x.index_return, w)


@superseded(lookback=2, inputs=("above_mean",), unit="score")
def mean_cross(x: Inputs) -> Values:
    """As today's, but a touch of equality is a crossing, and one through equality is two."""
    return np.sign(roll.diff(x.above_mean, 1))


@superseded(lookback="w", w=(5, 20), inputs=("garman_klass_variance",), unit="return")
def garman_klass(x: Inputs, w: int) -> Values:
    """As today's, but null where rounding leaves bars of one price less than no variance."""
    return np.sqrt(roll.mean(x.garman_klass_variance, w))


@superseded(lookback=1, inputs=("rest",), unit="time")
def days_of_rest_ahead(x: Inputs) -> Values:
    """Closures included that nobody could foresee; today's is `announced_rest_ahead`."""
    return x.rest
