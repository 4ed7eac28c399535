"""How likely two barriers are touched by a price that moves at random. Light: numpy and scipy.

A law from the reflection principle, and what it takes to be told at its best: what such a motion
has in common with real prices is a matter of its volatility alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from training.forecast import Floats, Touches, frequencies

HEAD = Touches()
SESSIONS = 5

_LEAST = 1e-6  # that any class is given before its chance is mended
_IMAGES = 8  # of the price on either side, in the series for two barriers
_NARROW = 0.5  # deviations between the barriers, below which one of them is touched for sure
_FEW, _MANY = 10_000, 100_000  # rows on which a stretch is found, and what is mended besides
_STRETCHES, _STEPS = (0.25, 4.0), 24
_ROUNDS, _PULL = 30, 1.0
_GOLDEN = (5**0.5 - 1) / 2

Classed = NDArray[np.int64]


def reflected(below: Floats, above: Floats, deviation: Floats) -> Floats:
    """The classes' chances (n, 4) for a Brownian motion without drift, by the reflection principle.

    below, above: distances of both barriers; deviation: of the motion at the end of the horizon.
    One barrier is touched with the chance 2 Phi(-distance / deviation); neither, by the images of
    the start behind both of them (Karatzas and Shreve 1991, section 2.8).
    """
    from scipy.special import ndtr

    a, b, s = (np.maximum(x, 0.0)[:, None] for x in (below, above, np.maximum(deviation, 1e-12)))
    wide = a + b
    s_two = np.minimum(s, np.maximum(wide, 1e-12) / _NARROW)
    k = 2.0 * np.arange(-_IMAGES, _IMAGES + 1) * wide
    inside = ndtr((b - k) / s_two) - ndtr((-a - k) / s_two)
    mirrored = ndtr((-b - k) / s_two) - ndtr((-a - 2.0 * b - k) / s_two)
    neither = np.clip((inside - mirrored).sum(axis=1), 0.0, 1.0)
    down, up = (np.minimum(2.0 * ndtr(-x / s), 1.0)[:, 0] for x in (a, b))
    either = 1.0 - neither
    found = np.stack([neither, either - up, either - down, down + up - either], axis=1)
    return HEAD.from_means(np.maximum(found, _LEAST))


@dataclass(frozen=True)
class Barriers:
    """The reflection principle as it is best told: with a stretched volatility, then mended.

    Values (n, 3) are the distances of both barriers, logarithms above 0, and the volatility of a
    session; nulls are NaN.

    stretch: what the volatility is multiplied by. slope, shift (4,): by which the logarithms of
    chances are mended. usual (4,): the classes' frequencies, for rows whose levels are not known.
    """

    stretch: float
    slope: float
    shift: Floats
    usual: Floats

    @classmethod
    def fit(cls, values: Floats, truth: Classed) -> "Barriers":
        """From values (n, 3) and what came of them (n,): that with the smallest log loss."""
        usual = frequencies(truth, HEAD)
        known = np.flatnonzero(np.isfinite(values).all(axis=1))
        if not len(known):
            return cls(1.0, 1.0, np.zeros(4), usual)
        few, many = (known[_spread(len(known), most)] for most in (_FEW, _MANY))
        stretch = exp(_lowest(lambda x: _loss(_law(values[few], exp(x)), truth[few])))
        slope, shift = mending(_law(values[many], stretch), truth[many])
        return cls(stretch, slope, shift, usual)

    def chances(self, values: Floats) -> Floats:
        """Of the classes of HEAD, (n, 4)."""
        known = np.isfinite(values).all(axis=1)
        found = np.tile(self.usual, (len(values), 1))
        found[known] = mended(_law(values[known], self.stretch), self.slope, self.shift)
        return found


def mending(said: Floats, truth: Classed) -> tuple[float, Floats]:
    """Slope and shift (4,) that make the log loss of `mended` chances (n, 4) smallest, by Newton.

    Platt's (1999) scaling for several classes; a little pulled towards no change, so that it exists
    for classes that never came.
    """
    x = np.zeros((*said.shape, 4))
    x[:, :, 0] = np.log(np.maximum(said, _LEAST))
    x[:, 1:, 1:] = np.eye(3)
    start = np.array([1.0, 0.0, 0.0, 0.0])
    found = start.copy()
    for _ in range(_ROUNDS):
        p = HEAD.from_scores(x @ found)
        mean = np.einsum("nk,nkj->nj", p, x)
        slopes = (mean - x[np.arange(len(truth)), truth]).sum(axis=0) + _PULL * (found - start)
        curve = np.einsum("nk,nki,nkj->ij", p, x, x) - mean.T @ mean + _PULL * np.eye(4)
        step = np.linalg.solve(curve, slopes)
        found = found - step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-9:
            break
    return float(found[0]), np.append(0.0, found[1:])


def mended(said: Floats, slope: float, shift: Floats) -> Floats:
    """Chances (n, 4) whose logarithms are multiplied by the slope and shifted."""
    return HEAD.from_scores(slope * np.log(np.maximum(said, _LEAST)) + shift)


def _law(values: Floats, stretch: float) -> Floats:
    below, above, volatility = values.T
    return reflected(below, above, stretch * SESSIONS**0.5 * volatility)


def _loss(said: Floats, truth: Classed) -> float:
    return float(-np.log(said[np.arange(len(truth)), truth]).mean())


def _spread(rows: int, most: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).astype(np.intp))


def _lowest(loss: Callable[[float], float]) -> float:
    # By golden sections of the logarithm of the stretch.
    low, high = (log(end) for end in _STRETCHES)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return (low + high) / 2
