"""Rolling primitives: what every feature of one instrument is written with.

Each takes a series of a block and gives a series of the same rows. A value exists only when its
whole window lies within the instrument's rows and holds no null (`lag`, `diff` and `change` look at
two rows only), and it comes from its window's rows alone.
"""

from collections.abc import Callable
from functools import wraps
from math import ceil, log
from typing import Concatenate, ParamSpec, cast

import numpy as np

from features.panel import kernels, rolling
from features.panel.series import Segments, Series, Values, segments_of

P = ParamSpec("P")
# What `windows.comoments` is to gather: pairs of its series.
_NONE, _SQUARES = np.empty((0, 2), np.int64), np.array([[0, 0]])
_PRODUCT, _ALL = np.array([[0, 1]]), np.array([[0, 0], [1, 1], [0, 1]])
_ON_Y = np.array([[1, 1], [0, 1]])


def _primitive(
    function: Callable[Concatenate[Values, P], Values],
) -> Callable[Concatenate[Values, P], Series]:
    """Remember results per block: the same call on the same series is computed once."""

    @wraps(function)
    def once(x: Values, *args: P.args, **options: P.kwargs) -> Series:
        segments = segments_of(x, "instrument")
        key = (function, x, *args, *options.items())
        found = segments.known.get(key)
        if found is None:
            found = segments.known[key] = Series.of(function(x, *args, **options), segments)
        return found

    return cast(Callable[Concatenate[Values, P], Series], once)


def _ready(x: Values, w: int, least: int = 1) -> tuple[Values, Segments, Values]:
    if w < least:
        raise ValueError(f"a window of at least {least} rows is needed, found {w}")
    segments = segments_of(x, "instrument")
    if len(x) != segments.rows:
        raise ValueError(f"a series has its segments' {segments.rows} rows, found {len(x)}")
    return np.asarray(x), segments, segments.empty()


@_primitive
def lag(x: Values, k: int = 1) -> Values:
    """The value k rows before."""
    values, segments, out = _ready(x, k + 1)
    kernels.lag(values, segments.offsets, k + 1, out)
    return out


@_primitive
def diff(x: Values, k: int = 1) -> Values:
    """x[t] - x[t-k]; exactly 0 where the two are equal to the tolerance."""
    values, segments, out = _ready(x, k + 1)
    kernels.step(values, segments.offsets, k, segments.tolerance, out)
    return out


@_primitive
def change(x: Values, k: int = 1) -> Values:
    """The return over k rows, x[t] / x[t-k] - 1, as a fraction; likewise 0 for equal ones."""
    values, segments, out = _ready(x, k + 1)
    kernels.growth(values, segments.offsets, k, segments.tolerance, out)
    return out


@_primitive
def mean(x: Values, w: int) -> Values:
    """The arithmetic mean of w rows."""
    values, segments, out = _ready(x, w)
    rolling.comoments(values, values, segments.offsets, w, _NONE, out[None])
    return out


@_primitive
def sum(x: Values, w: int) -> Values:
    """The sum of w rows."""
    values, segments, out = _ready(x, w)
    rolling.weighted(values, segments.offsets, w, 1.0, out)
    return out


@_primitive
def std(x: Values, w: int, level: float = 0.0) -> Values:
    """The standard deviation of w rows (ddof 1); exactly 0 where they are equal to the tolerance.

    level: what rounding is measured by where it is more than the rows themselves: 1 for returns,
    which are ratios of prices less 1.
    """
    values, segments, out = _ready(x, w, least=2)
    rolling.comoments(values, values, segments.offsets, w, _SQUARES, out[None])
    kernels.deviation(values, w, level, segments.tolerance, out)
    return out


@_primitive
def max(x: Values, w: int) -> Values:
    """The largest of w rows."""
    values, segments, out = _ready(x, w)
    rolling.extreme(values, segments.offsets, w, 1.0, out)
    return out


@_primitive
def min(x: Values, w: int) -> Values:
    """The smallest of w rows."""
    values, segments, out = _ready(x, w)
    rolling.extreme(values, segments.offsets, w, -1.0, out)
    return out


@_primitive
def slope(x: Values, w: int) -> Values:
    """The least-squares slope of w rows on time, per row."""
    values, segments, out = _ready(x, w, least=2)
    time = np.arange(len(values), dtype=np.float64)
    rolling.comoments(values, time, segments.offsets, w, _PRODUCT, out[None])
    return np.divide(out, w * (w * w - 1.0) / 12.0, out=out)


@_primitive
def corr(x: Values, y: Values, w: int, levels: tuple[float, float] = (0.0, 0.0)) -> Values:
    """Pearson's correlation of two series over w rows; null when either is constant.

    levels: of x and y, as that of `std`.
    """
    segments_of(y, "instrument")
    values, segments, out = _ready(x, w, least=2)
    other, products = np.asarray(y), np.empty((3, len(out)))
    rolling.comoments(values, other, segments.offsets, w, _ALL, products)
    kernels.correlation(values, other, w, (*levels, segments.tolerance), products, out)
    return out


@_primitive
def slope_on(x: Values, y: Values, w: int, level: float = 0.0) -> Values:
    """The least-squares slope of x on y over w rows; null when y is constant, to y's `level`."""
    segments_of(y, "instrument")
    values, segments, out = _ready(x, w, least=2)
    other, products = np.asarray(y), np.empty((2, len(out)))
    rolling.comoments(values, other, segments.offsets, w, _ON_Y, products)
    with np.errstate(divide="ignore", invalid="ignore"):
        np.divide(products[1], products[0], out=out)
    kernels.deviation(other, w, level, segments.tolerance, products[0])
    out[products[0] == 0.0] = np.nan
    return out


def quantile(x: Values, w: int, q: float) -> Values:
    """The q-quantile of w rows, interpolated linearly between order statistics."""
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"a quantile lies between 0 and 1, found {q}")
    # A quantile and its mirror come from one walk over the sorted windows.
    tail = round(q if q < 0.5 else 1.0 - q, 12)
    known, key = segments_of(x, "instrument").known, (quantile, x, w, tail)
    if key not in known:
        known[key] = _tails(x, w, tail)
    return cast(Series, known[key][q >= 0.5])


def _tails(x: Values, w: int, tail: float) -> tuple[Series, Series]:
    values, segments, low = _ready(x, w)
    high = segments.empty()
    kernels.quantiles(values, segments.offsets, w, tail, low, high)
    return Series.of(low, segments), Series.of(high, segments)


def _sparse(kernel: kernels.Kernel, x: Values, w: int, *more: object, least: int = 1) -> Values:
    # These kernels write only where there is something to say.
    values, segments, out = _ready(x, w, least)
    out.fill(np.nan)
    kernel(values, segments.offsets, w, *more, out)
    return out


@_primitive
def since_max(x: Values, w: int) -> Values:
    """How many rows ago the largest of w rows was, the newest of equal ones."""
    return _sparse(kernels.since_largest, x, w, segments_of(x, "instrument").tolerance)


@_primitive
def swing_high(x: Values, w: int, k: int) -> Values:
    """The newest peak within w rows: a row that none of the k before and k after it exceeds.

    A peak is known k rows later and not before; null without one.
    """
    tolerance = segments_of(x, "instrument").tolerance
    return _sparse(kernels.swing, x, w, k, tolerance, least=2 * k + 1)


@_primitive
def node(x: Values, weight: Values, w: int, bins: int) -> Values:
    """Where in the range of w rows most weight lies: the middle of the heaviest of equal parts."""
    tolerance = segments_of(weight, "instrument").tolerance
    return _sparse(kernels.node, x, w, np.asarray(weight), (bins, tolerance))


@_primitive
def ema(x: Values, span: int) -> Values:
    """The exponential mean with decay 2 / (span + 1) over the finite window `warm_up(span)`.

    Rows before the window carry less than 1e-10 of the weight and are left out, so that the value
    depends on declared rows only; it is null until the window is full.
    """
    w, keep = warm_up(span), 1.0 - 2.0 / (span + 1.0)
    values, segments, out = _ready(x, w)
    rolling.weighted(values, segments.offsets, w, keep, out)
    return np.multiply(out, (1.0 - keep) / (1.0 - keep**w), out=out)


def warm_up(span: int) -> int:
    """Rows after which all earlier ones together weigh less than 1e-10 in `ema(x, span)`."""
    if span < 1:
        raise ValueError(f"a span of at least 1 is needed, found {span}")
    keep = 1.0 - 2.0 / (span + 1.0)
    return 1 if keep == 0.0 else ceil(log(1e-10) / log(keep))
