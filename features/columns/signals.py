"""Signals of well-known strategies: 1 buy, -1 sell, 0 neither."""

import numpy as np

from features.feature import Inputs, feature
from features.panel import roll
from features.panel.series import Values
from features.panel.ties import difference

PAUSE = 5  # sessions of equality that a crossing may take


@feature(lookback=20, inputs=("close",), unit="score")
def above_mean(x: Inputs) -> Values:
    """1 while the mean of 5 closes is above that of 20, -1 below, 0 where they are equal."""
    return np.sign(difference(roll.mean(x.close, 5), roll.mean(x.close, 20)))


@feature(lookback=PAUSE + 2, inputs=("above_mean",), unit="score", version=2)
def mean_cross(x: Inputs) -> Values:
    """The session in which the mean of 5 closes crosses that of 20, upwards 1, downwards -1."""
    return _crossing(x.above_mean)


@feature(lookback=2, inputs=("rsi_14",), unit="score")
def rsi_reversal(x: Inputs) -> Values:
    """1 when the RSI comes back above 30, -1 when it comes back below 70."""
    oversold = np.heaviside(difference(30.0, x.rsi_14), 0.0)
    overbought = np.heaviside(difference(x.rsi_14, 70.0), 0.0)
    return np.maximum(-roll.diff(oversold, 1), 0.0) - np.maximum(-roll.diff(overbought, 1), 0.0)


@feature(lookback="w + 1", w=(20,), inputs=("high", "low", "close"), unit="score")
def breakout(x: Inputs, w: int) -> Values:
    """1 when the close exceeds the highs of w sessions before, -1 when it undercuts the lows."""
    high, low = roll.lag(roll.max(x.high, w), 1), roll.lag(roll.min(x.low, w), 1)
    above, below = difference(x.close, high), difference(low, x.close)
    return np.heaviside(above, 0.0) - np.heaviside(below, 0.0)


@feature(lookback=PAUSE + 2, inputs=("macd", "macd_signal"), unit="score", version=2)
def macd_cross(x: Inputs) -> Values:
    """The session in which the MACD crosses its signal, upwards 1, downwards -1."""
    return _crossing(np.sign(difference(x.macd, x.macd_signal, 1.0)))


@feature(lookback=1, inputs=("bollinger_position",), unit="score")
def bollinger_reversal(x: Inputs) -> Values:
    """1 below the lower band, -1 above the upper one."""
    place = x.bollinger_position
    below, above = difference(0.0, place, 1.0), difference(place, 1.0)
    return np.heaviside(below, 0.0) - np.heaviside(above, 0.0)


def _crossing(side: Values) -> Values:
    # The side it was on last: to touch equality and to return is no crossing, to pass it is one.
    before = roll.lag(side, 1)
    for back in range(2, PAUSE + 2):
        before = before + (before == 0.0) * roll.lag(side, back)
    return side * np.maximum(-side * before, 0.0)
