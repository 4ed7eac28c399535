"""The shape of one instrument's newest bar; a share of its range is null when it has none."""

import numpy as np

from features.feature import Inputs, feature
from features.panel.series import Values
from features.panel.ties import difference


@feature(lookback=1, inputs=("open", "close"), unit="return")
def candle_body(x: Inputs) -> Values:
    """From the open to the close."""
    return (x.close - x.open) / x.open


@feature(lookback=1, inputs=("open", "high", "low"), unit="ratio")
def candle_range(x: Inputs) -> Values:
    """From the low to the high, over the open."""
    return (x.high - x.low) / x.open


@feature(lookback=1, inputs=("open", "high", "low", "close"), unit="ratio")
def candle_body_share(x: Inputs) -> Values:
    """The body over the range: -1 falling throughout, 1 rising throughout."""
    return (x.close - x.open) / difference(x.high, x.low)


@feature(lookback=1, inputs=("open", "high", "close"), unit="ratio")
def upper_shadow(x: Inputs) -> Values:
    """From the body up to the high, over the open."""
    return (x.high - np.maximum(x.open, x.close)) / x.open


@feature(lookback=1, inputs=("open", "high", "low", "close"), unit="ratio")
def upper_shadow_share(x: Inputs) -> Values:
    """From the body up to the high, over the range."""
    return (x.high - np.maximum(x.open, x.close)) / difference(x.high, x.low)


@feature(lookback=1, inputs=("open", "low", "close"), unit="ratio")
def lower_shadow(x: Inputs) -> Values:
    """From the low up to the body, over the open."""
    return (np.minimum(x.open, x.close) - x.low) / x.open


@feature(lookback=1, inputs=("open", "high", "low", "close"), unit="ratio")
def lower_shadow_share(x: Inputs) -> Values:
    """From the low up to the body, over the range."""
    return (np.minimum(x.open, x.close) - x.low) / difference(x.high, x.low)


@feature(lookback=1, inputs=("open", "high", "low", "close"), unit="ratio")
def close_shift(x: Inputs) -> Values:
    """Twice the distance of the close from the middle of the range, over the open."""
    return (2.0 * x.close - x.high - x.low) / x.open


@feature(lookback=1, inputs=("high", "low", "close"), unit="ratio")
def close_shift_share(x: Inputs) -> Values:
    """Where the close lies in the range: -1 at the low, 1 at the high."""
    return (2.0 * x.close - x.high - x.low) / difference(x.high, x.low)


@feature(lookback=1, inputs=("open", "close"), unit="ratio")
def open_ratio(x: Inputs) -> Values:
    """The open over the close."""
    return x.open / x.close


@feature(lookback=1, inputs=("high", "close"), unit="ratio")
def high_ratio(x: Inputs) -> Values:
    """The high over the close."""
    return x.high / x.close


@feature(lookback=1, inputs=("low", "close"), unit="ratio")
def low_ratio(x: Inputs) -> Values:
    """The low over the close."""
    return x.low / x.close
