"""Signals of well-known strategies: 1 buy, -1 sell, 0 neither."""

import numpy as np

from features import roll
from features.engine import Inputs
from features.feature import feature
from features.series import Values


@feature(lookback=20, inputs=("close",), unit="score")
def above_mean(x: Inputs) -> Values:
    """1 while the mean of 5 closes is above that of 20, -1 below."""
    return np.sign(roll.mean(x.close, 5) - roll.mean(x.close, 20))


@feature(lookback=2, inputs=("above_mean",), unit="score")
def mean_cross(x: Inputs) -> Values:
    """The session in which the mean of 5 closes crosses that of 20, upwards 1, downwards -1."""
    return np.sign(roll.diff(x.above_mean, 1))


@feature(lookback=2, inputs=("rsi_14",), unit="score")
def rsi_reversal(x: Inputs) -> Values:
    """1 when the RSI comes back above 30, -1 when it comes back below 70."""
    oversold, overbought = np.heaviside(30.0 - x.rsi_14, 0.0), np.heaviside(x.rsi_14 - 70.0, 0.0)
    return np.maximum(-roll.diff(oversold, 1), 0.0) - np.maximum(-roll.diff(overbought, 1), 0.0)


@feature(lookback="w + 1", w=(20,), inputs=("high", "low", "close"), unit="score")
def breakout(x: Inputs, w: int) -> Values:
    """1 when the close exceeds the highs of w sessions before, -1 when it undercuts the lows."""
    high, low = roll.lag(roll.max(x.high, w), 1), roll.lag(roll.min(x.low, w), 1)
    return np.heaviside(x.close - high, 0.0) - np.heaviside(low - x.close, 0.0)


@feature(lookback=2, inputs=("macd_histogram",), unit="score")
def macd_cross(x: Inputs) -> Values:
    """The session in which the MACD crosses its signal, upwards 1, downwards -1."""
    return np.sign(roll.diff(np.sign(x.macd_histogram), 1))


@feature(lookback=1, inputs=("bollinger_position",), unit="score")
def bollinger_reversal(x: Inputs) -> Values:
    """1 below the lower band, -1 above the upper one."""
    place = x.bollinger_position
    return np.heaviside(-place, 0.0) - np.heaviside(place - 1.0, 0.0)
