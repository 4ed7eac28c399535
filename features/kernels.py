"""The compiled loops behind `features.roll` and `features.cross`.

All write into `out`, which arrives full of NaN. Sums may be reassociated, and windows are slices
walked by range(w), because only so are the loops vectorised (12 times faster). NaN keeps its
meaning: it spreads to every window that holds it.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit

from features.series import Values, Whole

Kernel: TypeAlias = Callable[..., None]
_OPTIONS = {"nogil": True, "cache": True, "fastmath": {"reassoc"}, "error_model": "numpy"}
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile at the first call, keep the machine code on disk, release the interpreter lock."""
    return cast(F, njit(**_OPTIONS)(function))


@compiled
def lag(x: Values, offsets: Whole, w: int, out: Values) -> None:
    """The first row of each window."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            out[i] = x[i - w + 1]


@compiled
def mean(x: Values, offsets: Whole, w: int, out: Values) -> None:
    """The mean of each window."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            window = x[i - w + 1 : i + 1]
            centre, gathered = window[0], 0.0
            for j in range(w):
                gathered += window[j] - centre
            out[i] = centre + gathered / w


@compiled
def total(x: Values, offsets: Whole, w: int, out: Values) -> None:
    """The sum of each window."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            window = x[i - w + 1 : i + 1]
            gathered = 0.0
            for j in range(w):
                gathered += window[j]
            out[i] = gathered


@compiled
def std(x: Values, offsets: Whole, w: int, out: Values) -> None:
    """The standard deviation of each window, in two passes."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            window = x[i - w + 1 : i + 1]
            centre, gathered, squares = window[0], 0.0, 0.0
            for j in range(w):
                gathered += window[j] - centre
            middle = gathered / w
            for j in range(w):
                off = (window[j] - centre) - middle
                squares += off * off
            out[i] = np.sqrt(squares / (w - 1))


@compiled
def largest(x: Values, offsets: Whole, w: int, out: Values) -> None:
    """The maximum of each window."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            window = x[i - w + 1 : i + 1]
            best = window[0]
            for j in range(1, w):
                if window[j] > best or np.isnan(window[j]):
                    best = window[j]
            out[i] = best


@compiled
def slope(x: Values, offsets: Whole, w: int, out: Values) -> None:
    """The least-squares slope of each window on 0, 1, ..., w - 1."""
    middle = (w - 1) / 2.0
    spread = w * (w * w - 1.0) / 12.0
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            window = x[i - w + 1 : i + 1]
            centre, gathered = window[0], 0.0
            for j in range(w):
                gathered += (j - middle) * (window[j] - centre)
            out[i] = gathered / spread


@compiled
def corr(x: Values, offsets: Whole, w: int, y: Values, out: Values) -> None:
    """Pearson's correlation of each window of x and y."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            one, other = x[i - w + 1 : i + 1], y[i - w + 1 : i + 1]
            first, second, mx, my = one[0], other[0], 0.0, 0.0
            for j in range(w):
                mx += one[j] - first
                my += other[j] - second
            mx, my = mx / w, my / w
            xx, yy, xy = 0.0, 0.0, 0.0
            for j in range(w):
                dx, dy = (one[j] - first) - mx, (other[j] - second) - my
                xx += dx * dx
                yy += dy * dy
                xy += dx * dy
            if xx > 0.0 and yy > 0.0:
                out[i] = xy / np.sqrt(xx * yy)


@compiled
def quantile(x: Values, offsets: Whole, w: int, q: float, out: Values) -> None:
    """The q-quantile of each window."""
    place = q * (w - 1)
    low = int(np.floor(place))
    high = min(low + 1, w - 1)
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            window = np.sort(x[i - w + 1 : i + 1])
            # NaN sorts last: one at the end means one in the window.
            if not np.isnan(window[w - 1]):
                out[i] = window[low] + (place - low) * (window[high] - window[low])


@compiled
def ema(x: Values, offsets: Whole, w: int, decay: float, out: Values) -> None:
    """The exponentially weighted mean of each window, weights summing to one."""
    weights = (1.0 - decay) ** np.arange(w - 1, -1, -1)
    weights /= weights.sum()
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            window = x[i - w + 1 : i + 1]
            centre, gathered = window[0], 0.0
            for j in range(w):
                gathered += weights[j] * (window[j] - centre)
            out[i] = centre + gathered


@compiled
def session_mean(x: Values, offsets: Whole, out: Values) -> None:
    """The mean of each segment's values that are not null, given to all its rows."""
    for s in range(len(offsets) - 1):
        gathered, count = 0.0, 0
        for i in range(offsets[s], offsets[s + 1]):
            if not np.isnan(x[i]):
                gathered += x[i]
                count += 1
        for i in range(offsets[s], offsets[s + 1]):
            if count > 0:
                out[i] = gathered / count


@compiled
def session_rank(x: Values, offsets: Whole, out: Values) -> None:
    """The mid-rank of each value among its segment's, scaled to the open interval (0, 1)."""
    for s in range(len(offsets) - 1):
        first, end = offsets[s], offsets[s + 1]
        order = first + np.argsort(x[first:end])
        count = 0
        while count < end - first and not np.isnan(x[order[count]]):
            count += 1
        below = 0
        while below < count:
            upto = below + 1
            while upto < count and x[order[upto]] == x[order[below]]:
                upto += 1
            for place in range(below, upto):
                out[order[place]] = (below + upto) / (2.0 * count)
            below = upto
