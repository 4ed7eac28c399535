"""The compiled loops behind `features.roll` and `features.cross`.

All write into `out`, which arrives full of NaN. Loops may be reassociated (hence vectorised), and
NaN keeps its meaning: it spreads to every window that holds it.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit

from features.series import Values, Whole

Kernel: TypeAlias = Callable[..., None]
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile at the first call, keep the machine code on disk, release the interpreter lock."""
    return cast(F, njit(nogil=True, cache=True, fastmath={"reassoc"})(function))


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
            first = i - w + 1
            centre, gathered = x[first], 0.0
            for j in range(first, i + 1):
                gathered += x[j] - centre
            out[i] = centre + gathered / w


@compiled
def total(x: Values, offsets: Whole, w: int, out: Values) -> None:
    """The sum of each window."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            gathered = 0.0
            for j in range(i - w + 1, i + 1):
                gathered += x[j]
            out[i] = gathered


@compiled
def std(x: Values, offsets: Whole, w: int, out: Values) -> None:
    """The standard deviation of each window, in two passes."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            first = i - w + 1
            centre, gathered, squares = x[first], 0.0, 0.0
            for j in range(first, i + 1):
                gathered += x[j] - centre
            middle = gathered / w
            for j in range(first, i + 1):
                off = (x[j] - centre) - middle
                squares += off * off
            out[i] = np.sqrt(squares / (w - 1))


@compiled
def largest(x: Values, offsets: Whole, w: int, out: Values) -> None:
    """The maximum of each window."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            best = x[i]
            for j in range(i - w + 1, i):
                if x[j] > best or np.isnan(x[j]):
                    best = x[j]
            out[i] = best


@compiled
def slope(x: Values, offsets: Whole, w: int, out: Values) -> None:
    """The least-squares slope of each window on 0, 1, ..., w - 1."""
    middle = (w - 1) / 2.0
    spread = w * (w * w - 1.0) / 12.0
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            first = i - w + 1
            centre, gathered = x[first], 0.0
            for j in range(w):
                gathered += (j - middle) * (x[first + j] - centre)
            out[i] = gathered / spread


@compiled
def corr(x: Values, offsets: Whole, w: int, y: Values, out: Values) -> None:
    """Pearson's correlation of each window of x and y."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            first = i - w + 1
            mx, my = 0.0, 0.0
            for j in range(first, i + 1):
                mx += x[j] - x[first]
                my += y[j] - y[first]
            mx, my = x[first] + mx / w, y[first] + my / w
            xx, yy, xy = 0.0, 0.0, 0.0
            for j in range(first, i + 1):
                xx += (x[j] - mx) * (x[j] - mx)
                yy += (y[j] - my) * (y[j] - my)
                xy += (x[j] - mx) * (y[j] - my)
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
            first = i - w + 1
            centre, gathered = x[first], 0.0
            for j in range(w):
                gathered += weights[j] * (x[first + j] - centre)
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
        present = np.sort(x[first:end])
        count = 0
        while count < end - first and not np.isnan(present[count]):
            count += 1
        for i in range(first, end):
            if not np.isnan(x[i]):
                below = np.searchsorted(present[:count], x[i], side="left")
                upto = np.searchsorted(present[:count], x[i], side="right")
                out[i] = (below + upto) / (2.0 * count)
