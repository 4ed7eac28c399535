"""How much one instrument's price moves, per session."""

from math import log

import numpy as np

from features.feature import Inputs, feature
from features.panel import roll
from features.panel.series import Values

_LN2 = log(2.0)


@feature(lookback="w", w=(5, 10, 20, 60), inputs=("return_1",), unit="return")
def volatility(x: Inputs, w: int) -> Values:
    """The standard deviation (ddof 1) of w daily total returns, per session."""
    return roll.std(x.return_1, w, 1.0)


@feature(lookback=1, inputs=("volatility_5", "volatility_60"), unit="ratio")
def volatility_ratio(x: Inputs) -> Values:
    """The volatility of 5 sessions over that of 60."""
    return x.volatility_5 / x.volatility_60


@feature(lookback="w", w=(5, 20), inputs=("high", "low"), unit="return")
def parkinson(x: Inputs, w: int) -> Values:
    """The volatility of w sessions from highs and lows (Parkinson, 1980)."""
    return np.sqrt(roll.mean(np.log(x.high / x.low) ** 2, w) / (4.0 * log(2.0)))


@feature(lookback=1, inputs=("open", "high", "low", "close"), unit="ratio")
def garman_klass_variance(x: Inputs) -> Values:
    """The variance within one session from its bar (Garman and Klass, 1980)."""
    return 0.5 * np.log(x.high / x.low) ** 2 - (2.0 * _LN2 - 1.0) * np.log(x.close / x.open) ** 2


@feature(lookback="w", w=(5, 20), inputs=("garman_klass_variance",), unit="return", version=2)
def garman_klass(x: Inputs, w: int) -> Values:
    """The volatility within a session, over w of them (Garman and Klass, 1980)."""
    # A bar of one price has no variance; rounding may leave less than none.
    return np.sqrt(np.maximum(roll.mean(x.garman_klass_variance, w), 0.0))


@feature(lookback="w", w=(20,), inputs=("return_1",), unit="return")
def downside(x: Inputs, w: int) -> Values:
    """The root of the mean square of w daily returns, gains counted as 0."""
    return np.sqrt(roll.mean(np.minimum(x.return_1, 0.0) ** 2, w))


@feature(lookback=2, inputs=("open", "close", "dividend"), unit="return")
def overnight(x: Inputs) -> Values:
    """The return from the close before to the open, the dividend included."""
    return (x.open + x.dividend) / roll.lag(x.close, 1) - 1.0


@feature(lookback="w", w=(20,), inputs=("overnight", "return_1"), unit="ratio")
def overnight_share(x: Inputs, w: int) -> Values:
    """The variance of w overnight returns over that of the daily ones."""
    return (roll.std(x.overnight, w, 1.0) / roll.std(x.return_1, w, 1.0)) ** 2


@feature(lookback="w", w=(20,), inputs=("volatility_5",), unit="return")
def volatility_of_volatility(x: Inputs, w: int) -> Values:
    """The standard deviation of the 5-session volatility over w sessions."""
    return roll.std(x.volatility_5, w, 1.0)


@feature(lookback="w", w=(60,), inputs=("close",), unit="return")
def drawdown(x: Inputs, w: int) -> Values:
    """How far the close lies below the highest of w closes, 0 or less."""
    return x.close / roll.max(x.close, w) - 1.0
