"""Population stability index."""

import numpy as np

from monitoring.drift_test import SIDES, Values, drift_test, known

_BINS = 10
# A share of nothing would weigh infinitely.
_FLOOR = 1e-4


@drift_test("psi", threshold=0.2)
def psi(reference: Values, current: Values) -> float:
    """Sum of (q - p) ln(q / p) over the deciles of the reference, nulls being a bin of their own.

    A decile's edge is a bin too, so that a value with much mass (a sentiment of 0) may move both
    ways. Siddiqi (2006), Credit Risk Scorecards: below 0.1 stable, above 0.25 a shift.
    """
    edges = np.unique(_deciles(known(reference)))
    p, q = _shares(edges, reference), _shares(edges, current)
    filled = (p > 0) | (q > 0)
    p, q = (np.maximum(share[filled], _FLOOR) for share in (p, q))
    return float(((q - p) * np.log(q / p)).sum())


def _deciles(told: Values) -> Values:
    """Those inside, between neighbours linearly: numpy.quantile would order the values anew."""
    if not len(told):
        return told
    place = np.arange(1, _BINS) * (len(told) - 1) / _BINS
    low = place.astype(int)
    step = told[np.minimum(low + 1, len(told) - 1)] - told[low]
    return np.asarray(told[low] + (place - low) * step, dtype=np.float64)


def _shares(edges: Values, values: Values) -> Values:
    told = known(values)
    # Below an edge, on it and above it are three bins.
    ends = np.stack([np.searchsorted(told, edges, side) for side in SIDES], axis=1).ravel()
    counts = np.diff(np.concatenate([[0], ends, [len(told), len(values)]]))
    return np.asarray(counts / len(values), dtype=np.float64)
