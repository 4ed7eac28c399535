"""Features of one instrument's prices."""

from math import sqrt

from features.feature import Inputs, feature
from features.panel import roll
from features.panel.series import Values


@feature(lookback=2, inputs=("total",), unit="return")
def return_1(x: Inputs) -> Values:
    """The total return since the session before."""
    return roll.change(x.total, 1)


@feature(lookback="w + 1", w=(5, 20, 60), inputs=("total",), unit="return")
def momentum(x: Inputs, w: int) -> Values:
    """The total return over w sessions."""
    return roll.change(x.total, w)


@feature(lookback="w", w=(10,), inputs=("high", "low", "close"), unit="ratio")
def range(x: Inputs, w: int) -> Values:
    """How far apart the highest and lowest price of w sessions lie, over the newest close."""
    return (roll.max(x.high, w) - roll.min(x.low, w)) / x.close


@feature(lookback=1, inputs=("momentum_5", "volatility_20"), unit="score")
def steady_momentum_5(x: Inputs) -> Values:
    """The total return over 5 sessions in standard deviations of such a return."""
    return x.momentum_5 / (x.volatility_20 * sqrt(5.0))
