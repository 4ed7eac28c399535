"""Compiled rolling windows in O(log w) passes.

A window of w rows is put together from blocks of 1, 2, 4 ... rows, those of w's binary digits, and
a block of 2n rows from two of n. All rows take each step at once, so that the loops are vectorised,
over tiles of rows that stay in the cache. Every value comes from its own window's rows alone, in an
order that depends on w only: one absurd price leaves no trace behind it, and the last rows of a
history give bit for bit what the whole history gives.

Means are kept as their distance from the block's newest row, and joined by the rules of Chan, Golub
and LeVeque (1979), "Updating formulae and a pairwise algorithm for computing sample variances".
Tiles care nothing for segments: `forget` makes null the windows that reach over a border.
"""

from typing import TypeAlias

import numpy as np

from features.panel.kernels import compiled, forget
from features.panel.series import Values, Whole

_TILE = 1024
State: TypeAlias = tuple[Values, Values]  # means less the newest row; sums of products


@compiled
def weighted(x: Values, offsets: Whole, w: int, keep: float, out: Values) -> None:
    """The sum of each window, a row weighing `keep` times what the row after it weighs."""
    for start in range(0, len(x), _TILE):
        before = min(start, w - 1)
        level = x[start - before : start + _TILE].copy()
        gathered, have, n = np.zeros(len(level)), 0, 1
        while n <= w <= len(level):
            if w & n:
                _add(gathered, level, keep**have, have)
                have += n
            if 2 * n <= w:
                _add(level, level.copy(), keep**n, n)
            n *= 2
        out[start : start + _TILE] = gathered[before:]
    forget(out, offsets, w)


@compiled
def extreme(x: Values, offsets: Whole, w: int, sign: float, out: Values) -> None:
    """The maximum of each window of sign * x, times the sign."""
    for start in range(0, len(x), _TILE):
        before = min(start, w - 1)
        level = sign * x[start - before : start + _TILE]
        n = 1
        while n < w <= len(level):
            step = min(n, w - n)  # the last two blocks may overlap
            _raise(level, level.copy(), step)
            n += step
        out[start : start + _TILE] = sign * level[before:]
    forget(out, offsets, w)


@compiled
def comoments(x: Values, y: Values, offsets: Whole, w: int, pairs: Whole, out: Values) -> None:
    """For each pair of series (0 is x, 1 is y) a row of `out`: the sum of the products of their
    distances from their means over each window. Without pairs, the mean of x.
    """
    both = 2 if np.any(pairs == 1) else 1
    for start in range(0, len(x), _TILE):
        before = min(start, w - 1)
        rows, have, n = min(start + _TILE, len(x)) - start + before, 0, 1
        parts = np.empty((both, rows))
        parts[0] = x[start - before : start + _TILE]
        if both == 2:
            parts[1] = y[start - before : start + _TILE]
        middle, level = np.zeros_like(parts), np.zeros_like(parts)
        spread, spreads = np.zeros((len(pairs), rows)), np.zeros((len(pairs), rows))
        while n <= w <= rows:
            if w & n:
                _join(parts, pairs, (middle, spread), (level, spreads), have, n)
                have += n
            if 2 * n <= w:
                _join(parts, pairs, (level, spreads), (level, spreads.copy()), n, n)
            n *= 2
        if len(pairs) == 0:
            out[0, start : start + _TILE] = parts[0, before:] + middle[0, before:]
        else:
            out[:, start : start + _TILE] = spread[:, before:]
    for k in range(len(out)):
        forget(out[k], offsets, w)


@compiled
def _join(x: Values, pairs: Whole, new: State, old: State, have: int, n: int) -> None:
    """Put the blocks of n rows in `old` before the blocks of `have` rows in `new`."""
    gaps = np.empty_like(x)
    for k in range(len(x)):
        _gap(x[k], new[0][k], old[0][k], have, gaps[k])
    for k in range(len(pairs)):
        one, other = gaps[pairs[k, 0]], gaps[pairs[k, 1]]
        _spread(new[1][k], old[1][k], one, other, have * n / (have + n), have)
    for k in range(len(x)):
        _add(new[0][k], gaps[k], n / (have + n), have)


@compiled
def _gap(x: Values, new: Values, old: Values, have: int, gap: Values) -> None:
    x_new, new_mean = x[have:], new[have:]
    for j in range(len(x_new)):
        gap[j] = (x[j] - x_new[j]) + (old[j] - new_mean[j])


@compiled
def _spread(new: Values, old: Values, gap: Values, other: Values, weight: float, have: int) -> None:
    late = new[have:]
    for j in range(len(late)):
        late[j] += old[j] + weight * gap[j] * other[j]


@compiled
def _add(new: Values, old: Values, weight: float, have: int) -> None:
    late = new[have:]
    for j in range(len(late)):
        late[j] += weight * old[j]


@compiled
def _raise(new: Values, old: Values, have: int) -> None:
    late = new[have:]
    for j in range(len(late)):
        one, other = late[j], old[j]
        late[j] = other if (one < other or np.isnan(other)) else one
