"""Rolling primitives: what every feature of one instrument is written with.

Each takes a series of a block and gives a series of the same rows. A value exists only when its
whole window lies within the instrument's rows and holds no null (`lag`, `diff` and `change` look at
two rows only). Every window is computed from its
own rows alone, centred on its first: one absurd price leaves no trace behind it, and the last
rows of a history give bit for bit what the whole history gives.
"""

from collections.abc import Callable
from functools import wraps
from math import ceil, log
from typing import Concatenate, ParamSpec, cast

import numpy as np

from features import kernels
from features.kernels import Kernel
from features.series import Series, Values, segments_of

P = ParamSpec("P")


def _primitive(
    function: Callable[Concatenate[Values, P], Values],
) -> Callable[Concatenate[Values, P], Series]:
    """Remember results per block: the same call on the same series is computed once."""

    @wraps(function)
    def once(x: Values, *args: P.args, **options: P.kwargs) -> Series:
        segments = segments_of(x, "instrument")
        others = tuple(a for a in args if isinstance(a, Series))
        plain = tuple(a for a in args if not isinstance(a, Series))
        key = (function.__name__, *plain, *sorted(options.items()))
        inputs = (cast(Series, x), *others)
        return segments.once(key, inputs, lambda: function(x, *args, **options))

    return cast(Callable[Concatenate[Values, P], Series], once)


def _over(kernel: Kernel, x: Values, w: int, *more: object, least: int = 1) -> Values:
    if w < least:
        raise ValueError(f"a window of at least {least} rows is needed, found {w}")
    out = np.full(len(x), np.nan)
    offsets = segments_of(x, "instrument").offsets
    kernel(np.asarray(x), offsets, w, *more, out)
    return out


@_primitive
def lag(x: Values, k: int = 1) -> Values:
    """The value k rows before."""
    return _over(kernels.lag, x, k + 1)


@_primitive
def diff(x: Values, k: int = 1) -> Values:
    """x[t] - x[t-k]."""
    return np.asarray(x) - lag(x, k)


@_primitive
def change(x: Values, k: int = 1) -> Values:
    """The return over k rows, x[t] / x[t-k] - 1, as a fraction."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(x) / lag(x, k) - 1.0


@_primitive
def mean(x: Values, w: int) -> Values:
    """The arithmetic mean of w rows."""
    return _over(kernels.mean, x, w)


@_primitive
def sum(x: Values, w: int) -> Values:
    """The sum of w rows."""
    return _over(kernels.total, x, w)


@_primitive
def std(x: Values, w: int) -> Values:
    """The standard deviation of w rows (ddof 1)."""
    return _over(kernels.std, x, w, least=2)


@_primitive
def max(x: Values, w: int) -> Values:
    """The largest of w rows."""
    return _over(kernels.largest, x, w)


@_primitive
def min(x: Values, w: int) -> Values:
    """The smallest of w rows."""
    return -_over(kernels.largest, Series.of(-x, segments_of(x, "instrument")), w)


@_primitive
def slope(x: Values, w: int) -> Values:
    """The least-squares slope of w rows on time, per row."""
    return _over(kernels.slope, x, w, least=2)


@_primitive
def corr(x: Values, y: Values, w: int) -> Values:
    """Pearson's correlation of two series over w rows; null when either is constant."""
    segments_of(y, "instrument")
    return _over(kernels.corr, x, w, np.asarray(y), least=2)


@_primitive
def quantile(x: Values, w: int, q: float) -> Values:
    """The q-quantile of w rows, interpolated linearly between order statistics."""
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"a quantile lies between 0 and 1, found {q}")
    return _over(kernels.quantile, x, w, q)


@_primitive
def ema(x: Values, span: int) -> Values:
    """The exponential mean with decay 2 / (span + 1) over the finite window `warm_up(span)`.

    Rows before the window carry less than 1e-10 of the weight and are left out, so that the value
    depends on declared rows only; it is null until the window is full.
    """
    return _over(kernels.ema, x, warm_up(span), 2.0 / (span + 1.0))


def warm_up(span: int) -> int:
    """Rows after which all earlier ones together weigh less than 1e-10 in `ema(x, span)`."""
    if span < 1:
        raise ValueError(f"a span of at least 1 is needed, found {span}")
    keep = 1.0 - 2.0 / (span + 1.0)
    return 1 if keep == 0.0 else ceil(log(1e-10) / log(keep))
