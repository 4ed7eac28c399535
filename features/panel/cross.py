"""Primitives across the instruments of one session: what cross-section features are written with.

Only instruments decided upon in that session take part; nulls stay null and count for nothing.
"""

import numpy as np

from features.panel import kernels
from features.panel.series import Series, Values, segments_of


def _across(kernel: kernels.Kernel, x: Values, *more: object) -> Series:
    segments = segments_of(x, "session")
    out = np.full(len(x), np.nan)
    kernel(np.asarray(x), segments.offsets, *more, out)
    return Series.of(out, segments)


def rank(x: Values) -> Series:
    """The share of the session's instruments below, equal ones counting half: inside (0, 1).

    A mid-rank: n instruments that tie all get 0.5. Equal is what lies within the tolerance of
    max(1, |x|), so that x should be a return or ratio.
    """
    return _across(kernels.session_rank, x, segments_of(x, "session").tolerance)


def mean(x: Values, within: Values | None = None) -> Series:
    """The session's mean over instruments, or over those with the same number in `within`."""
    if within is None:
        return _across(kernels.session_mean, x)
    segments = segments_of(x, "session")
    session = np.repeat(np.arange(len(segments.offsets) - 1), np.diff(segments.offsets))
    order = np.lexsort((np.asarray(within), session))
    number, place = np.asarray(within)[order], session[order]
    new = np.append(True, (number[1:] != number[:-1]) | (place[1:] != place[:-1]))
    gathered, out = np.full(len(x), np.nan), np.empty(len(x))
    starts = np.append(np.flatnonzero(new[: len(x)]), len(x))
    kernels.session_mean(np.asarray(x)[order], starts, gathered)
    out[order] = np.where(np.isnan(number), np.nan, gathered)
    return Series.of(out, segments)
