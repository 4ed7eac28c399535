"""Kolmogorov and Smirnov's distance."""

import numpy as np

from monitoring.drift_test import SIDES, Values, drift_test, known


@drift_test("ks", threshold=0.15, ceiling=0.95)
def ks(reference: Values, current: Values) -> float:
    """The largest difference between the two distribution functions, 0 to 1; nulls lie below all
    values. Hodges (1958), The significance probability of the Smirnov two-sample test.

    The threshold is a size, not a significance: at it, 15 % of the mass lies elsewhere. At the
    ceiling nearly all of it lies beyond what was learnt from, as when a source breaks.
    """
    learnt, seen = _nulls_first(reference), _nulls_first(current)
    # Between two values of the current sample only the reference's function moves, and it moves
    # one way: the functions are farthest apart at such a value or just below it.
    places = np.unique(seen)
    apart = [
        np.searchsorted(learnt, places, side) / len(learnt)
        - np.searchsorted(seen, places, side) / len(seen)
        for side in SIDES
    ]
    return float(np.abs(apart).max())


def _nulls_first(values: Values) -> Values:
    told = known(values)
    return np.concatenate([np.full(len(values) - len(told), -np.inf), told])
