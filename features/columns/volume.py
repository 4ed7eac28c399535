"""Features of one instrument's traded volume; null when nothing was traded in their sessions."""

import numpy as np

from features.feature import Inputs, feature
from features.panel import roll
from features.panel.series import Values
from features.panel.ties import difference


@feature(lookback="w", w=(5, 20), inputs=("volume",), unit="ratio")
def volume_ratio(x: Inputs, w: int) -> Values:
    """The volume over its mean of w sessions; null when nothing was traded in them."""
    return x.volume / roll.mean(x.volume, w)


@feature(lookback="w", w=(20,), inputs=("volume",), unit="score")
def volume_score(x: Inputs, w: int) -> Values:
    """The volume less its mean of w sessions, in their standard deviations."""
    return (x.volume - roll.mean(x.volume, w)) / roll.std(x.volume, w)


@feature(lookback="w + 1", w=(20,), inputs=("close", "volume"), unit="ratio")
def balance(x: Inputs, w: int) -> Values:
    """On-balance volume of w sessions: that of rises less that of falls, over all of it."""
    return roll.sum(np.sign(roll.diff(x.close, 1)) * x.volume, w) / roll.sum(x.volume, w)


@feature(lookback="w", w=(20,), inputs=("typical_price", "volume", "close"), unit="ratio")
def weighted_price(x: Inputs, w: int) -> Values:
    """The typical price weighted by volume over w sessions, over the close."""
    return roll.sum(x.typical_price * x.volume, w) / roll.sum(x.volume, w) / x.close


@feature(lookback="w + 1", w=(14,), inputs=("typical_price", "volume"), unit="score")
def money_flow(x: Inputs, w: int) -> Values:
    """The money flow index: money traded at risen prices over all that moved, from 0 to 100."""
    money, step = x.typical_price * x.volume, np.sign(roll.diff(x.typical_price, 1))
    up, down = (roll.sum(money * np.maximum(sign * step, 0.0), w) for sign in (1.0, -1.0))
    return 100.0 * up / (up + down)


@feature(lookback="w", w=(20,), inputs=("high", "low", "close", "volume"), unit="ratio", version=2)
def accumulation(x: Inputs, w: int) -> Values:
    """Chaikin's money flow: the volume of w sessions weighted by where each bar closed.

    From -1 for its low to 1 for its high; a bar without a range adds 0.
    """
    height = difference(x.high, x.low)
    place = difference(2.0 * x.close, x.high + x.low) / (height + (height == 0.0))
    return roll.sum(place * x.volume, w) / roll.sum(x.volume, w)


@feature(lookback=1, inputs=("return_1", "close", "volume"), unit="volume")
def impact(x: Inputs) -> Values:
    """How much the price moved per money traded (Amihud, 2002)."""
    return np.abs(x.return_1) / (x.close * x.volume)


@feature(lookback="w", w=(60,), inputs=("impact",), unit="ratio")
def illiquidity(x: Inputs, w: int) -> Values:
    """The price impact of 5 sessions over that of w: is the instrument harder to trade now."""
    return roll.mean(x.impact, 5) / roll.mean(x.impact, w)
