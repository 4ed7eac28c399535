"""Comparisons that rounding does not decide.

Prices are quoted in cents, and a later split divides every one of them and rounds it anew: what
was equal differs in the last bits from then on. So whatever a feature compares, or divides by, is
a difference that is exactly 0 where two numbers are equal to the tolerance of their segments.
"""

from typing import TypeAlias

import numpy as np

from features.panel import kernels
from features.panel.series import Segments, Series, Values

Operand: TypeAlias = Values | float  # a series, typed as the arithmetic of features is


def difference(x: Operand, y: Operand, level: Operand = 0.0) -> Series:
    """x - y; exactly 0 where they differ by less than the tolerance of the largest of the three.

    level: what rounding is measured by where it is more than x and y: the price, where they are
    moves of it, or 1, where they are moves over a price. Raises TypeError for a bare array.
    """
    segments, key = _segments(x, y, level), (difference, x, y, level)
    found = segments.known.get(key)
    if found is None:
        out, (one, other, size) = segments.empty(), (_rows(o, segments) for o in (x, y, level))
        kernels.difference(one, other, size, segments.tolerance, out)
        found = segments.known[key] = Series.of(out, segments)
    assert isinstance(found, Series)
    return found


def _segments(*operands: Operand) -> Segments:
    series = [operand for operand in operands if not isinstance(operand, float)]
    found = [getattr(operand, "segments", None) for operand in series]
    if not found or not all(isinstance(segments, Segments) for segments in found):
        raise TypeError(
            "a difference is one of columns of a block, of arithmetic with them and of floats: "
            f"found {', '.join(type(operand).__name__ for operand in operands)}"
        )
    assert isinstance(found[0], Segments)
    return found[0]


def _rows(operand: Operand, segments: Segments) -> Values:
    if isinstance(operand, float):
        return np.full(segments.rows, operand)
    return np.ascontiguousarray(operand, dtype=np.float64)
