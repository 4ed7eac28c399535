"""How far one instrument's price has gone from its usual place, and whether it tends to return."""

import numpy as np

from features.feature import Inputs, feature
from features.panel import roll
from features.panel.series import Values


@feature(lookback="w", w=(5, 20, 60), inputs=("close",), unit="score")
def standard_score(x: Inputs, w: int) -> Values:
    """The close less the mean of w closes, in their standard deviations."""
    return (x.close - roll.mean(x.close, w)) / roll.std(x.close, w)


@feature(lookback=roll.warm_up, w=(12, 26), inputs=("close",), unit="ratio")
def exponential_mean(x: Inputs, w: int) -> Values:
    """The exponential mean of the close, span w, over the newest close."""
    return roll.ema(x.close, w) / x.close


@feature(lookback=20, inputs=("close",), unit="ratio")
def bollinger_position(x: Inputs) -> Values:
    """Where the close lies between the lower (0) and the upper (1) Bollinger band (ddof 1)."""
    return 0.5 + (x.close - roll.mean(x.close, 20)) / (4.0 * roll.std(x.close, 20))


@feature(lookback="w + 1", w=(20, 60), inputs=("return_1",), unit="score")
def autocorrelation(x: Inputs, w: int) -> Values:
    """The correlation of w daily returns with those a session before."""
    return roll.corr(x.return_1, roll.lag(x.return_1, 1), w, (1.0, 1.0))


@feature(lookback="w + 1", w=(10, 20), inputs=("close",), unit="ratio")
def efficiency(x: Inputs, w: int) -> Values:
    """The way of the close over w sessions as the crow flies, over the way it went (Kaufman)."""
    return np.abs(roll.diff(x.close, w)) / roll.sum(np.abs(roll.diff(x.close, 1)), w)


@feature(lookback="w", w=(20,), inputs=("return_1",), unit="ratio")
def median_gap(x: Inputs, w: int) -> Values:
    """The mean of w daily returns less their median, in their standard deviations: a skew."""
    middle = roll.quantile(x.return_1, w, 0.5)
    return (roll.mean(x.return_1, w) - middle) / roll.std(x.return_1, w, 1.0)
