"""Primitives across the instruments of one session: what cross-section features are written with.

Only instruments decided upon in that session take part; nulls stay null and count for nothing.
"""

import numpy as np

from features import kernels
from features.series import Series, Values, segments_of


def _across(kernel: kernels.Kernel, x: Values) -> Series:
    segments = segments_of(x, "session")
    out = np.full(len(x), np.nan)
    kernel(np.asarray(x), segments.offsets, out)
    return Series.of(out, segments)


def rank(x: Values) -> Series:
    """The share of the session's instruments below, equal ones counting half: inside (0, 1)."""
    return _across(kernels.session_rank, x)


def mean(x: Values) -> Series:
    """The session's mean over instruments."""
    return _across(kernels.session_mean, x)
