"""Oscillators of one instrument's bars, after Wilder and Lane.

Wilder's smoothing over n is an exponential mean with decay 1 / n, that is of span 2 n - 1. Source:
J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
"""

import numpy as np

from features.feature import Inputs, feature
from features.panel import roll
from features.panel.series import Values
from features.panel.ties import difference

WILDER = 2 * 14 - 1
WARM = roll.warm_up(WILDER)


@feature(lookback=WARM, inputs=("gain", "loss"), unit="score")
def rsi_14(x: Inputs) -> Values:
    """Wilder's relative strength index over 14 sessions, from 0 to 100."""
    gain, loss = roll.ema(x.gain, WILDER), roll.ema(x.loss, WILDER)
    return 100.0 * gain / (gain + loss)


@feature(lookback=2, inputs=("high", "low", "close"), unit="price")
def true_range(x: Inputs) -> Values:
    """The range of the bar and the close before it."""
    before = roll.lag(x.close, 1)
    return difference(np.maximum(x.high, before), np.minimum(x.low, before))


@feature(lookback=WARM, inputs=("true_range", "close"), unit="ratio")
def atr_14(x: Inputs) -> Values:
    """Wilder's average true range over 14 sessions, over the close."""
    return roll.ema(x.true_range, WILDER) / x.close


@feature(lookback=2, inputs=("high", "low"), unit="price")
def move_up(x: Inputs) -> Values:
    """How much higher the high is, where that exceeds how much lower the low is; else 0."""
    up, down = roll.diff(x.high, 1), -roll.diff(x.low, 1)
    return np.maximum(up, 0.0) * np.heaviside(difference(up, down, x.high), 0.0)


@feature(lookback=2, inputs=("high", "low"), unit="price")
def move_down(x: Inputs) -> Values:
    """How much lower the low is, where that exceeds how much higher the high is; else 0."""
    up, down = roll.diff(x.high, 1), -roll.diff(x.low, 1)
    return np.maximum(down, 0.0) * np.heaviside(difference(down, up, x.high), 0.0)


@feature(lookback=WARM, inputs=("move_up", "true_range"), unit="score")
def rising_index_14(x: Inputs) -> Values:
    """Wilder's +DI over 14 sessions, from 0 to 100."""
    return 100.0 * roll.ema(x.move_up, WILDER) / roll.ema(x.true_range, WILDER)


@feature(lookback=WARM, inputs=("move_down", "true_range"), unit="score")
def falling_index_14(x: Inputs) -> Values:
    """Wilder's -DI over 14 sessions, from 0 to 100."""
    return 100.0 * roll.ema(x.move_down, WILDER) / roll.ema(x.true_range, WILDER)


@feature(lookback=1, inputs=("rising_index_14", "falling_index_14"), unit="score")
def directional_index_14(x: Inputs) -> Values:
    """Wilder's DX: how far apart +DI and -DI are, from 0 to 100."""
    up, down = x.rising_index_14, x.falling_index_14
    return 100.0 * np.abs(up - down) / (up + down)


@feature(lookback=WARM, inputs=("directional_index_14",), unit="score")
def adx_14(x: Inputs) -> Values:
    """Wilder's average directional index over 14 sessions: how strong a trend is, either way."""
    return roll.ema(x.directional_index_14, WILDER)


@feature(lookback=14, inputs=("high", "low", "close"), unit="score")
def stochastic_14(x: Inputs) -> Values:
    """Lane's %K: where the close lies in the range of 14 sessions, from 0 to 100."""
    low = roll.min(x.low, 14)
    return 100.0 * (x.close - low) / difference(roll.max(x.high, 14), low)


@feature(lookback=3, inputs=("stochastic_14",), unit="score")
def stochastic_signal_14(x: Inputs) -> Values:
    """Lane's %D: the mean of %K over 3 sessions."""
    return roll.mean(x.stochastic_14, 3)


@feature(lookback=1, inputs=("high", "low", "close"), unit="price")
def typical_price(x: Inputs) -> Values:
    """The mean of high, low and close."""
    return (x.high + x.low + x.close) / 3.0


@feature(lookback=20, inputs=("typical_price",), unit="score")
def typical_score_20(x: Inputs) -> Values:
    """The typical price less its mean of 20 sessions, in their standard deviations."""
    price = x.typical_price
    return (price - roll.mean(price, 20)) / roll.std(price, 20)
