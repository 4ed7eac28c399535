"""Distances of the close to levels at which prices turned or were traded most."""

from features.feature import Inputs, feature
from features.panel import roll
from features.panel.series import Values

SIDE = 3  # sessions on either side that a swing exceeds
PARTS = 20  # of the range, in a volume profile


@feature(lookback="w", w=(60,), inputs=("high", "close"), unit="ratio")
def swing_high(x: Inputs, w: int) -> Values:
    """The newest swing high of w sessions over the close, less 1; above 0: a resistance."""
    return roll.swing_high(x.high, w, SIDE) / x.close - 1.0


@feature(lookback="w", w=(60,), inputs=("low", "close"), unit="ratio")
def swing_low(x: Inputs, w: int) -> Values:
    """The newest swing low of w sessions over the close, less 1; below 0: a support."""
    return -roll.swing_high(-x.low, w, SIDE) / x.close - 1.0


@feature(lookback="w", w=(20, 60), inputs=("high",), unit="ratio")
def since_high(x: Inputs, w: int) -> Values:
    """How long ago the highest price of w sessions was, as a share of them."""
    return roll.since_max(x.high, w) / w


@feature(lookback="w", w=(20, 60), inputs=("low",), unit="ratio")
def since_low(x: Inputs, w: int) -> Values:
    """How long ago the lowest price of w sessions was, as a share of them."""
    return roll.since_max(-x.low, w) / w


@feature(lookback="w", w=(60,), inputs=("typical_price", "volume", "close"), unit="ratio")
def volume_node(x: Inputs, w: int) -> Values:
    """The price at which most was traded in w sessions over the close, less 1."""
    return roll.node(x.typical_price, x.volume, w, PARTS) / x.close - 1.0
