"""Rolling features of one instrument's bars, the families that factor libraries begin with.

Prices are taken over the newest close, volumes over the newest volume. Where a ratio is not
defined (nothing moved or was traded in the window) it is null.
"""

import numpy as np

from features.feature import Inputs, feature
from features.panel import roll
from features.panel.series import Values
from features.panel.ties import difference

WINDOWS = (5, 10, 20, 30, 60)


@feature(lookback="w + 1", w=WINDOWS, inputs=("close",), unit="ratio")
def past_close(x: Inputs, w: int) -> Values:
    """The close of w sessions before over the newest close."""
    return roll.lag(x.close, w) / x.close


@feature(lookback="w", w=WINDOWS, inputs=("close",), unit="ratio")
def mean(x: Inputs, w: int) -> Values:
    """The mean close of w sessions over the newest close."""
    return roll.mean(x.close, w) / x.close


@feature(lookback="w", w=WINDOWS, inputs=("close",), unit="ratio")
def deviation(x: Inputs, w: int) -> Values:
    """The standard deviation of w closes over the newest close."""
    return roll.std(x.close, w) / x.close


@feature(lookback="w", w=WINDOWS, inputs=("close",), unit="ratio")
def trend(x: Inputs, w: int) -> Values:
    """The least-squares slope of w closes per session, over the newest close."""
    return roll.slope(x.close, w) / x.close


@feature(lookback="w", w=WINDOWS, inputs=("high", "close"), unit="ratio")
def highest(x: Inputs, w: int) -> Values:
    """The highest price of w sessions over the newest close."""
    return roll.max(x.high, w) / x.close


@feature(lookback="w", w=WINDOWS, inputs=("low", "close"), unit="ratio")
def lowest(x: Inputs, w: int) -> Values:
    """The lowest price of w sessions over the newest close."""
    return roll.min(x.low, w) / x.close


@feature(lookback="w", w=WINDOWS, inputs=("close",), unit="ratio")
def upper_quantile(x: Inputs, w: int) -> Values:
    """The 0.8-quantile of w closes over the newest close."""
    return roll.quantile(x.close, w, 0.8) / x.close


@feature(lookback="w", w=WINDOWS, inputs=("close",), unit="ratio")
def lower_quantile(x: Inputs, w: int) -> Values:
    """The 0.2-quantile of w closes over the newest close."""
    return roll.quantile(x.close, w, 0.2) / x.close


@feature(lookback="w", w=WINDOWS, inputs=("high", "low", "close"), unit="ratio")
def range_position(x: Inputs, w: int) -> Values:
    """Where the close lies between the lowest (0) and the highest (1) price of w sessions."""
    low = roll.min(x.low, w)
    return (x.close - low) / difference(roll.max(x.high, w), low)


@feature(lookback=1, inputs=("volume",), unit="volume")
def log_volume(x: Inputs) -> Values:
    """The logarithm of the volume; null when nothing was traded."""
    return np.log(x.volume)


@feature(lookback="w", w=WINDOWS, inputs=("close", "log_volume"), unit="ratio")
def volume_correlation(x: Inputs, w: int) -> Values:
    """The correlation of close and logarithm of volume over w sessions."""
    return roll.corr(x.close, x.log_volume, w, (0.0, 1.0))


@feature(lookback=2, inputs=("close",), unit="price")
def gain(x: Inputs) -> Values:
    """How much the close rose since the session before; 0 when it fell."""
    return np.maximum(roll.diff(x.close, 1), 0.0)


@feature(lookback=2, inputs=("close",), unit="price")
def loss(x: Inputs) -> Values:
    """How much the close fell since the session before; 0 when it rose."""
    return np.maximum(-roll.diff(x.close, 1), 0.0)


@feature(lookback=1, inputs=("gain",), unit="score")
def rose(x: Inputs) -> Values:
    """1 when the close rose, else 0."""
    return np.sign(x.gain)


@feature(lookback="w", w=WINDOWS, inputs=("rose",), unit="ratio")
def rising_share(x: Inputs, w: int) -> Values:
    """The share of w sessions in which the close rose."""
    return roll.mean(x.rose, w)


@feature(lookback="w", w=WINDOWS, inputs=("gain", "loss"), unit="ratio")
def gain_share(x: Inputs, w: int) -> Values:
    """The gains of w sessions over all their moves."""
    return roll.sum(x.gain, w) / (roll.sum(x.gain, w) + roll.sum(x.loss, w))


@feature(lookback="w", w=WINDOWS, inputs=("gain", "loss"), unit="ratio")
def loss_share(x: Inputs, w: int) -> Values:
    """The losses of w sessions over all their moves."""
    return roll.sum(x.loss, w) / (roll.sum(x.gain, w) + roll.sum(x.loss, w))


@feature(lookback="w", w=WINDOWS, inputs=("volume",), unit="ratio")
def volume_mean(x: Inputs, w: int) -> Values:
    """The mean volume of w sessions over the newest volume."""
    return roll.mean(x.volume, w) / x.volume


@feature(lookback="w", w=WINDOWS, inputs=("volume",), unit="ratio")
def volume_deviation(x: Inputs, w: int) -> Values:
    """The standard deviation of w volumes over the newest volume."""
    return roll.std(x.volume, w) / x.volume


@feature(lookback="w", w=(14,), inputs=("gain", "loss"), unit="score")
def simple_rsi(x: Inputs, w: int) -> Values:
    """The relative strength index with plain means, from 0 to 100 (Wilder smooths his)."""
    gain = roll.mean(x.gain, w)
    return 100.0 * gain / (gain + roll.mean(x.loss, w))


@feature(lookback=roll.warm_up(26), inputs=("close",), unit="price")
def macd_line(x: Inputs) -> Values:
    """The exponential mean over 12 sessions less that over 26."""
    return roll.ema(x.close, 12) - roll.ema(x.close, 26)


@feature(lookback=1, inputs=("macd_line", "close"), unit="ratio")
def macd(x: Inputs) -> Values:
    """Moving-average convergence and divergence, 12 and 26 sessions, over the close."""
    return x.macd_line / x.close


@feature(lookback=roll.warm_up(9), inputs=("macd_line", "close"), unit="ratio")
def macd_signal(x: Inputs) -> Values:
    """The exponential mean over 9 sessions of the MACD line, over the close."""
    return roll.ema(x.macd_line, 9) / x.close


@feature(lookback=1, inputs=("macd", "macd_signal"), unit="ratio")
def macd_histogram(x: Inputs) -> Values:
    """The MACD less its signal."""
    return x.macd - x.macd_signal


@feature(lookback="w", w=(20,), inputs=("close",), unit="ratio")
def bollinger_upper(x: Inputs, w: int) -> Values:
    """Two standard deviations (ddof 1) above the mean of w closes, over the newest close."""
    return (roll.mean(x.close, w) + 2.0 * roll.std(x.close, w)) / x.close


@feature(lookback="w", w=(20,), inputs=("close",), unit="ratio")
def bollinger_lower(x: Inputs, w: int) -> Values:
    """Two standard deviations (ddof 1) below the mean of w closes, over the newest close."""
    return (roll.mean(x.close, w) - 2.0 * roll.std(x.close, w)) / x.close


@feature(lookback="w", w=(20,), inputs=("close",), unit="ratio")
def bollinger_width(x: Inputs, w: int) -> Values:
    """Four standard deviations (ddof 1) of w closes over their mean."""
    return 4.0 * roll.std(x.close, w) / roll.mean(x.close, w)


@feature(lookback="w + 2", w=(1, 2, 3, 5, 10), inputs=("close",), unit="return")
def past_return(x: Inputs, w: int) -> Values:
    """The daily return of the close w sessions before."""
    return roll.lag(roll.change(x.close, 1), w)
