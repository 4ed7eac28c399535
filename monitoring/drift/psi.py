"""Population stability index."""

import numpy as np

from monitoring.drift_test import Values, drift_test

_BINS = 10
# A share of nothing would weigh infinitely.
_FLOOR = 1e-4


@drift_test("psi", threshold=0.2)
def psi(reference: Values, current: Values) -> float:
    """Sum of (q - p) ln(q / p) over the deciles of the reference, nulls being a bin of their own.

    A decile's edge is a bin too, so that a value with much mass (a sentiment of 0) may move both
    ways. Siddiqi (2006), Credit Risk Scorecards: below 0.1 stable, above 0.25 a shift.
    """
    known = reference[~np.isnan(reference)]
    inner = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, inner)) if len(known) else np.empty(0)
    p, q = _shares(edges, reference), _shares(edges, current)
    filled = (p > 0) | (q > 0)
    p, q = (np.maximum(share[filled], _FLOOR) for share in (p, q))
    return float(((q - p) * np.log(q / p)).sum())


def _shares(edges: Values, values: Values) -> Values:
    known = values[~np.isnan(values)]
    # Below an edge, on it and above it are three bins.
    place = np.searchsorted(edges, known, "left") + np.searchsorted(edges, known, "right")
    counts = np.bincount(place, minlength=2 * len(edges) + 1)
    return np.asarray(np.append(counts, len(values) - len(known)) / len(values), dtype=np.float64)
