"""The compiled loops behind `features.panel.roll` and `features.panel.cross`.

NaN keeps its meaning everywhere: it spreads to every window that holds it.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit

from features.panel.series import Numbers, Values, Whole

Kernel: TypeAlias = Callable[..., None]
_OPTIONS = {"nogil": True, "cache": True, "error_model": "numpy"}
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile at the first call, keep the machine code on disk, release the interpreter lock."""
    return cast(F, njit(**_OPTIONS)(function))


@compiled
def forget(out: Values, offsets: Whole, w: int) -> None:
    """Make null what has no full window of w rows in its segment."""
    for s in range(len(offsets) - 1):
        out[offsets[s] : min(offsets[s] + w - 1, offsets[s + 1])] = np.nan


@compiled
def lag(x: Values, offsets: Whole, w: int, out: Values) -> None:
    """The first row of each window."""
    out[w - 1 :] = x[: max(len(x) - w + 1, 0)]
    forget(out, offsets, w)


@compiled
def step(x: Values, offsets: Whole, k: int, tolerance: float, out: Values) -> None:
    """Each row less that k before, 0 where they are equal to the tolerance."""
    for i in range(k, len(x)):
        apart, size = x[i] - x[i - k], max(abs(x[i]), abs(x[i - k]))
        out[i] = 0.0 if abs(apart) < tolerance * size else apart
    forget(out, offsets, k + 1)


@compiled
def growth(x: Values, offsets: Whole, k: int, tolerance: float, out: Values) -> None:
    """Each row over that k before, less 1; 0 where they are equal to the tolerance."""
    for i in range(k, len(x)):
        grown = x[i] / x[i - k] - 1.0
        out[i] = 0.0 if abs(grown) < tolerance else grown
    forget(out, offsets, k + 1)


@compiled
def difference(x: Values, y: Values, level: Values, tolerance: float, out: Values) -> None:
    """x less y, 0 where they are equal to the tolerance of the largest of x, y and level."""
    for i in range(len(x)):
        apart, size = x[i] - y[i], max(abs(x[i]), abs(y[i]), abs(level[i]))
        out[i] = 0.0 if abs(apart) < tolerance * size else apart


@compiled
def deviation(x: Values, w: int, level: float, tolerance: float, out: Values) -> None:
    """The deviation of each window from the sum of its squares in `out`; 0 where that is rounding.

    A window whose rows all lie within the tolerance of its newest one, or of `level`, is constant.
    """
    for i in range(len(x)):
        spread = np.sqrt(out[i] / (w - 1.0))
        out[i] = 0.0 if spread < tolerance * max(abs(x[i]), level) else spread


@compiled
def correlation(
    x: Values,
    y: Values,
    w: int,
    limits: tuple[float, float, float],
    products: Values,
    out: Values,
) -> None:
    """From the sums of xx, yy and xy over each window; null where x or y is constant.

    limits: the level of x, that of y, the tolerance.
    """
    level, other, tolerance = limits
    for i in range(len(x)):
        one, two = np.sqrt(products[0, i]), np.sqrt(products[1, i])
        least = tolerance * np.sqrt(w - 1.0)
        flat = one < least * max(abs(x[i]), level) or two < least * max(abs(y[i]), other)
        out[i] = np.nan if flat else products[2, i] / one / two


@compiled
def finite(x: Values, out: Numbers) -> None:
    """Copy into `out`, perhaps of lower precision; what is not finite there becomes NaN."""
    for i in range(len(x)):
        out[i] = x[i]
        if not np.isfinite(out[i]):
            out[i] = np.nan


@compiled
def quantiles(x: Values, offsets: Whole, w: int, q: float, low: Values, high: Values) -> None:
    """The q-quantile of each window, and its mirror, the (1 - q)-quantile.

    The window is kept sorted: its row w before leaves and the new one enters in one vectorised
    pass without branches. NaN stands in it as infinity and is counted.
    """
    one, other = np.full(w + 3, np.inf), np.full(w + 3, np.inf)
    one[0], nulls = -np.inf, 0
    other[0] = -np.inf
    place = q * (w - 1)
    below = int(place)
    part = place - below
    for i in range(len(x)):
        leaves, enters = x[i - w] if i >= w else np.inf, x[i]
        if np.isnan(leaves):
            leaves, nulls = np.inf, nulls - 1
        if np.isnan(enters):
            enters, nulls = np.inf, nulls + 1
        left, middle, right, target = one[:w], one[1 : w + 1], one[2 : w + 2], other[1 : w + 1]
        for j in range(w):
            before = left[j] if left[j] < leaves else middle[j]
            after = middle[j] if middle[j] < leaves else right[j]
            entered = after if after < enters else enters
            target[j] = before if before > entered else entered
        one, other = other, one
        if nulls > 0:
            low[i] = high[i] = np.nan
        else:
            a, b = one[1 + below], one[2 + below]
            low[i] = a + part * (b - a) if part > 0.0 else a
            a, b = one[w - below], one[w - below - 1]
            high[i] = a + part * (b - a) if part > 0.0 else a
    forget(low, offsets, w)
    forget(high, offsets, w)


@compiled
def since_largest(x: Values, offsets: Whole, w: int, tolerance: float, out: Values) -> None:
    """How many rows lie after the newest maximum of each window."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            window = x[i - w + 1 : i + 1]
            top, gathered = -np.inf, 0.0
            for j in range(w):
                gathered += window[j]
                top = window[j] if window[j] > top else top
            if not np.isnan(gathered):
                best, least = w - 1, top - tolerance * abs(top)
                while window[best] < least:
                    best -= 1
                out[i] = w - 1 - best


@compiled
def swing(x: Values, offsets: Whole, w: int, k: int, tolerance: float, out: Values) -> None:
    """The newest row of each window that no row up to k before or after it exceeds."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            window = x[i - w + 1 : i + 1]
            if np.isnan(window.sum()):
                continue
            for j in range(w - 1 - k, k - 1, -1):
                top = window[j - k : j + k + 1].max()
                if window[j] >= top - tolerance * abs(top):
                    out[i] = window[j]
                    break


@compiled
def node(
    x: Values, offsets: Whole, w: int, weight: Values, parts: tuple[int, float], out: Values
) -> None:
    """The middle of the heaviest of equal parts between each window's extremes.

    parts: how many, and the tolerance. A row at the border of two lies in the upper one; of
    equally heavy ones the lowest counts.
    """
    bins, tolerance = parts
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + w - 1, offsets[s + 1]):
            window, weights = x[i - w + 1 : i + 1], weight[i - w + 1 : i + 1]
            low, high = window.min(), window.max()
            if np.isnan(window.sum()) or not weights.sum() > 0.0:
                continue
            profile, near = np.zeros(bins), tolerance * max(abs(low), abs(high))
            for j in range(w):
                wide = high - low > near
                part = int((window[j] - low + near) / (high - low) * bins) if wide else 0
                profile[min(part, bins - 1)] += weights[j]
            heaviest, least = 0, profile.max() * (1.0 - tolerance)
            while profile[heaviest] < least:
                heaviest += 1
            out[i] = low + (heaviest + 0.5) * (high - low) / bins


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
def session_rank(x: Values, offsets: Whole, tolerance: float, out: Values) -> None:
    """The mid-rank of each value among its segment's, scaled to the open interval (0, 1)."""
    for s in range(len(offsets) - 1):
        first, end = offsets[s], offsets[s + 1]
        order = first + np.argsort(x[first:end])
        count = 0
        while count < end - first and not np.isnan(x[order[count]]):
            count += 1
        below = 0
        while below < count:
            upto, lowest = below + 1, x[order[below]]
            near = lowest + tolerance * max(1.0, abs(lowest))
            while upto < count and x[order[upto]] <= near:
                upto += 1
            for place in range(below, upto):
                out[order[place]] = (below + upto) / (2.0 * count)
            below = upto
