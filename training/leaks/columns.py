"""Features that look ahead, caught by rebuilding decisions from what was known then."""

from collections.abc import Callable

import numpy as np

from features import roll
from features.engine import Inputs
from features.feature import FEATURES, Feature
from features.hindsight import decisions, refuse_hindsight
from features.series import Series, Values, segments_of
from training.lab import Lab
from training.leak import leak

_GUARD = "features.hindsight.refuse_hindsight"


def _try(lab: Lab, name: str, compute: Callable[[Inputs], Values], planted: bool) -> None:
    inputs = ("close", "volume", "sentiment", "scored")
    made = Feature(name, compute, 5, inputs, "ratio")
    feature = made if planted else FEATURES.get("momentum_5")
    refuse_hindsight(lambda facts: decisions(facts, [feature]), lab.facts, lab.moments)


def _ahead(x: Values, rows: int, own: Values) -> Series:
    return Series.of(np.roll(np.asarray(x), -rows), segments_of(own, "instrument"))


@leak(planted="features", caught_by=_GUARD)
def centred_window(lab: Lab, planted: bool) -> None:
    """A mean of the rows around each row, two of them later."""
    _try(
        lab,
        "centred_window",
        lambda x: _ahead(roll.mean(x.close, 5), 2, x.close) / x.close,
        planted,
    )


@leak(planted="features", caught_by=_GUARD)
def scaled_by_all_history(lab: Lab, planted: bool) -> None:
    """Divided by the mean of all rows, later ones included."""
    _try(lab, "scaled_by_all_history", lambda x: x.close / np.nanmean(np.asarray(x.close)), planted)


@leak(planted="features", caught_by=_GUARD)
def back_fill(lab: Lab, planted: bool) -> None:
    """A session without scored headlines takes the next one's sentiment."""

    def filled(x: Inputs) -> Values:
        values = np.where(np.asarray(x.scored) > 0, np.asarray(x.sentiment), np.nan)
        for row in range(len(values) - 2, -1, -1):
            if np.isnan(values[row]):
                values[row] = values[row + 1]
        return values

    _try(lab, "back_fill", filled, planted)


@leak(planted="features", caught_by=_GUARD)
def next_row(lab: Lab, planted: bool) -> None:
    """A shift by one row in the wrong direction: tomorrow's close over today's."""
    _try(lab, "next_row", lambda x: _ahead(x.close, 1, x.close) / x.close, planted)
