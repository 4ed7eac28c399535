"""Kolmogorov and Smirnov's distance."""

import numpy as np

from monitoring.drift_test import Values, drift_test


@drift_test("ks", threshold=0.15)
def ks(reference: Values, current: Values) -> float:
    """The largest difference between the two distribution functions, 0 to 1; nulls lie below all
    values. Hodges (1958), The significance probability of the Smirnov two-sample test.

    The threshold is a size, not a significance: at it, 15 % of the mass lies elsewhere.
    """
    p, q = (np.sort(np.nan_to_num(side, nan=-np.inf)) for side in (reference, current))
    places = np.concatenate([p, q])
    below = [np.searchsorted(side, places, "right") / len(side) for side in (p, q)]
    return float(np.abs(below[0] - below[1]).max())
