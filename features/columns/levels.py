"""Distances of the close to levels at which prices turned or were traded most.

Support and resistance, of which the target `levels_5` asks whether they are touched, are those of
features/panel/candidates.py.
"""

from functools import partial
from math import sqrt

from scipy.special import erfc

from features.feature import Inputs, feature
from features.panel import candidates, roll
from features.panel.series import Series, Values

SIDE = 3  # sessions on either side that a swing exceeds
PARTS = 20  # of the range, in a volume profile
SESSIONS = 5  # that the chances of a touch are for

_level = partial(
    feature, lookback="w", w=(60,), inputs=("high", "low", "close", "dividend", "volume")
)


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


@_level(unit="return")
def support_distance(x: Inputs, w: int) -> Values:
    """The logarithm of the close over the support of w sessions, above 0."""
    return _support(x, w)[candidates.DISTANCE]


@_level(unit="score")
def support_away(x: Inputs, w: int) -> Values:
    """How many average ranges of 14 sessions the support of w sessions lies below the close."""
    return _support(x, w)[candidates.AWAY]


@_level(unit="count")
def support_touches(x: Inputs, w: int) -> Values:
    """How many swings of w sessions lie within a quarter of an average range of the support."""
    return _support(x, w)[candidates.TOUCHES]


@_level(unit="ratio")
def support_age(x: Inputs, w: int) -> Values:
    """How long ago the newest of the support's swings was, as a share of w sessions."""
    return _support(x, w)[candidates.AGE]


@_level(unit="score")
def support_kind(x: Inputs, w: int) -> Values:
    """What the support is: 1 swings, 2 the volume node, 3 both, 0 neither: two ranges away."""
    return _support(x, w)[candidates.KIND]


@feature(lookback=1, inputs=("support_distance_60", "realised_volatility_decayed"), unit="ratio")
def support_chance(x: Inputs) -> Values:
    """The chance that 5 sessions come to the support, were the price a Brownian motion."""
    return _reached(x.support_distance_60, x.realised_volatility_decayed)


@_level(unit="return")
def resistance_distance(x: Inputs, w: int) -> Values:
    """The logarithm of the resistance over the close of w sessions, above 0."""
    return _resistance(x, w)[candidates.DISTANCE]


@_level(unit="score")
def resistance_away(x: Inputs, w: int) -> Values:
    """How many average ranges of 14 sessions the resistance of w sessions lies above the close."""
    return _resistance(x, w)[candidates.AWAY]


@_level(unit="count")
def resistance_touches(x: Inputs, w: int) -> Values:
    """How many swings of w sessions lie within a quarter of an average range of the resistance."""
    return _resistance(x, w)[candidates.TOUCHES]


@_level(unit="ratio")
def resistance_age(x: Inputs, w: int) -> Values:
    """How long ago the newest of the resistance's swings was, as a share of w sessions."""
    return _resistance(x, w)[candidates.AGE]


@_level(unit="score")
def resistance_kind(x: Inputs, w: int) -> Values:
    """What the resistance is: 1 swings, 2 the volume node, 3 both, 0 neither: two ranges away."""
    return _resistance(x, w)[candidates.KIND]


@feature(lookback=1, inputs=("resistance_distance_60", "realised_volatility_decayed"), unit="ratio")
def resistance_chance(x: Inputs) -> Values:
    """The chance that 5 sessions come to the resistance, were the price a Brownian motion."""
    return _reached(x.resistance_distance_60, x.realised_volatility_decayed)


def _support(x: Inputs, w: int) -> tuple[Series, ...]:
    return candidates.levels((x.high, x.low, x.close, x.dividend), x.volume, w)[0]


def _resistance(x: Inputs, w: int) -> tuple[Series, ...]:
    return candidates.levels((x.high, x.low, x.close, x.dividend), x.volume, w)[1]


def _reached(distance: Values, volatility: Values) -> Values:
    # By the reflection principle, 2 (1 - Phi(distance / (volatility sqrt(sessions)))).
    reached: Values = erfc(distance / (volatility * sqrt(2.0 * SESSIONS)))
    return reached
