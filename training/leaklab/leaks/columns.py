"""Features that look where they must not, caught by the guards that every feature passes."""

from collections.abc import Callable

import numpy as np

from features.feature import FEATURES, Feature, Inputs
from features.guards.of_features import (
    Guard,
    alone,
    closures,
    future,
    lookback,
    nulls,
    scale,
    ties,
    trial,
)
from features.panel import roll
from features.panel.series import Series, Values, segments_of
from training.bundle.checks import Leak
from training.leaklab.leak import leak
from training.leaklab.market import Lab

_GUARDS = "features.guards.of_features."
# The sound feature that a leaking one is the twin of, where it is not momentum.
_TWINS = {"rest_ahead": "announced_rest_ahead", "ties_by_rounding": "rising_share_5"}


def _try(guard: Guard, name: str, compute: Callable[[Inputs], Values], planted: bool) -> None:
    inputs = ("close", "volume", "sentiment", "scored", "rest")
    made = Feature(name, compute, 5, inputs, "ratio")
    feature = made if planted else FEATURES.get(_TWINS.get(name, "momentum_5"))
    if list(guard(trial([feature]))):
        raise Leak(f"{feature.name} breaks: {(guard.__doc__ or '').strip().splitlines()[0]}")


def _turned(x: Values, rows: int, own: Values) -> Series:
    return Series.of(np.roll(np.asarray(x), -rows), segments_of(own, "instrument"))


@leak(planted="features", caught_by=_GUARDS + "future")
def centred_window(_: Lab, planted: bool) -> None:
    """A mean of the rows around each row, two of them later."""
    _try(
        future,
        "centred_window",
        lambda x: _turned(roll.mean(x.close, 5), 2, x.close) / x.close,
        planted,
    )


@leak(planted="features", caught_by=_GUARDS + "future")
def scaled_by_all_history(_: Lab, planted: bool) -> None:
    """Divided by the mean of all rows, later ones included."""
    _try(
        future,
        "scaled_by_all_history",
        lambda x: x.close / np.nanmean(np.asarray(x.close)),
        planted,
    )


@leak(planted="features", caught_by=_GUARDS + "nulls")
def back_fill(_: Lab, planted: bool) -> None:
    """A null takes the next row's value."""

    def filled(x: Inputs) -> Values:
        values = np.array(x.sentiment)
        for row in range(len(values) - 2, -1, -1):
            if np.isnan(values[row]):
                values[row] = values[row + 1]
        return values

    _try(nulls, "back_fill", filled, planted)


@leak(planted="features", caught_by=_GUARDS + "lookback")
def longer_lookback(_: Lab, planted: bool) -> None:
    """A sum over all rows so far: online, with few of them, it is another one."""

    def gathered(x: Inputs) -> Values:
        return np.asarray(np.cumsum(np.asarray(x.volume)) / np.asarray(x.volume))

    _try(lookback, "longer_lookback", gathered, planted)


@leak(planted="features", caught_by=_GUARDS + "alone")
def over_the_border(_: Lab, planted: bool) -> None:
    """A window that reaches into the instrument stored next."""
    _try(alone, "over_the_border", lambda x: _turned(x.close, 75, x.close) / x.close, planted)


@leak(planted="features", caught_by=_GUARDS + "scale")
def price_for_ratio(_: Lab, planted: bool) -> None:
    """A difference of prices, said to be a ratio: later splits change its past."""
    _try(scale, "price_for_ratio", lambda x: x.close - roll.lag(x.close, 1), planted)


@leak(planted="features", caught_by=_GUARDS + "ties")
def ties_by_rounding(_: Lab, planted: bool) -> None:
    """Closes are compared bit by bit: a later split, which rounds them anew, changes the past."""

    def rose(x: Inputs) -> Values:
        closes, before = np.asarray(x.close), np.asarray(roll.lag(x.close, 1))
        return roll.mean(Series.of(np.sign(closes - before), segments_of(x.close, "instrument")), 4)

    _try(ties, "ties_by_rounding", rose, planted)


@leak(planted="features", caught_by=_GUARDS + "closures")
def rest_ahead(_: Lab, planted: bool) -> None:
    """How long the market will rest is read from today's calendar, surprises included."""
    _try(closures, "rest_ahead", lambda x: x.rest, planted)
