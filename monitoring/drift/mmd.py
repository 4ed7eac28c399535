"""Maximum mean discrepancy, of numbers that mean something only together."""

import numpy as np
from scipy.spatial.distance import cdist, pdist

from monitoring.drift_test import Values, drift_test

_FAR = 8.0  # deviations: what lies beyond counts as there
_ROUNDED = 1e-12  # below it a square is what rounding left
_MOST = 1_000  # rows of a side, taken evenly: the sums go over all pairs


@drift_test("mmd", threshold=0.15, joint=True)
def mmd(reference: Values, current: Values) -> float:
    """Distance of the two means under a Gaussian kernel, 0 to about 1; rows (n,) or (n, width).

    Of columns in the reference's deviations, nulls being a column of their own; the kernel's width
    is the median distance within the reference. Gretton et al. (2012), A kernel two-sample test,
    JMLR 13, equation 5: of few rows it is never 0, but always much the same where nothing moved,
    which is what a threshold from history needs (the unbiased one is around 0, then and now).
    """
    known, seen = (_evenly(side.reshape(len(side), -1)) for side in (reference, current))
    known, seen = scaled(known, known), scaled(known, seen)
    own = pdist(known, "sqeuclidean") if len(known) > 1 else np.zeros(1)
    width = float(np.median(own[own > 0])) if (own > 0).any() else 1.0
    within = _mean(known, known, width) + _mean(seen, seen, width)
    square = within - 2 * _mean(known, seen, width)
    return float(np.sqrt(square)) if square > _ROUNDED else 0.0


def _evenly(side: Values) -> Values:
    places = np.linspace(0, len(side) - 1, min(len(side), _MOST)).round().astype(int)
    found: Values = side[places]
    return found


def scaled(known: Values, side: Values) -> Values:
    """Rows (n, width) in the columns' deviations among the known ones, clipped at 8; their nulls
    are as many columns more, in which a null lies 2 off."""
    null = np.isnan(known)
    count = np.maximum((~null).sum(axis=0), 1)
    mean = np.where(null, 0, known).sum(axis=0) / count
    spread = np.sqrt((np.where(null, 0, known - mean) ** 2).sum(axis=0) / count)
    # Of what never moved, any move is far.
    moved = (side - mean) / np.where(spread > 1e-9 * (1 + np.abs(mean)), spread, 1e-30)
    values = np.clip(np.nan_to_num(moved, nan=0.0), -_FAR, _FAR)
    return np.concatenate([values, 2.0 * np.isnan(side)], axis=1)


def _mean(one: Values, other: Values, width: float) -> float:
    return float(np.exp(-cdist(one, other, "sqeuclidean") / width).mean())
