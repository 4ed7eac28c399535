"""Intervals that hold for few and dependent sessions, by cosine sums and Student's t."""

from dataclasses import dataclass
from functools import lru_cache
from math import inf, sqrt

import numpy as np

from training.forecast import Floats
from training.samples.samples import Stamps

LEVEL = 0.95
_SHORTEST = 24  # sessions in the shortest wave


@dataclass(frozen=True)
class Estimate:
    """A number, its standard error, and the degrees of freedom that the error rests on.

    freedom: 0 where the sessions are too few to tell an error; then nothing is known.
    """

    value: float
    error: float
    freedom: int

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The central interval of that level; (-inf, inf) where nothing is known."""
        from scipy.special import stdtrit

        if not self.freedom:
            return -inf, inf
        reach = float(stdtrit(self.freedom, (1 + level) / 2)) * self.error
        return self.value - reach, self.value + reach

    @property
    def p_value(self) -> float:
        """One-sided, of a true value of 0 or less; 1 where nothing is known."""
        from scipy.special import stdtr

        if not self.freedom or not self.error:
            return 0.0 if self.freedom and self.value > 0 else 1.0
        return float(stdtr(self.freedom, -self.value / self.error))


def estimate(value: float, left_out: Floats, overlap: int = 1) -> Estimate:
    """The estimate of a statistic of n sessions from its values with each one left out, (n,).

    overlap: sessions that one label spans. The jackknife's pseudo-values stand for the sessions,
    so that ratios and scores are treated as means are. The variance is the mean square of the
    first cosine transforms of their series (equally weighted cosines: Lazarus, Lewis, Stock and
    Watson 2018): they see dependence that lasts, and make the error's t law exact for
    independent normal sessions however few.
    """
    n = len(left_out)
    freedom = _frequencies(n, overlap)
    if not freedom:
        return Estimate(value, inf, 0)
    waves = _cosines(n, freedom) @ ((n - 1) * (value - left_out))
    return Estimate(value, sqrt(float(np.mean(waves**2)) / n), freedom)


def ratio(gains: Floats, rows: Floats, overlap: int = 1) -> Estimate:
    """The mean per row of n sessions' sums, (n,) each; rows: how many each session has."""
    total, count = float(gains.sum()), float(rows.sum())
    value = total / count if count else 0.0
    if len(gains) < 2:
        return Estimate(value, inf, 0)
    return estimate(value, (total - gains) / (count - rows), overlap)


def per_session(values: Floats, sessions: Stamps) -> tuple[Stamps, Floats, Floats]:
    """The sessions of n rows in order, and in each the sum of the values and the number of rows."""
    days, place = np.unique(sessions, return_inverse=True)
    sums, rows = np.zeros(len(days)), np.zeros(len(days))
    np.add.at(sums, place, values)
    np.add.at(rows, place, 1.0)
    return days, sums, rows


def _frequencies(sessions: int, overlap: int) -> int:
    # Waves of that length or more, and of 4 h where labels span h: shorter ones see less noise.
    return sessions // max(_SHORTEST // 2, 2 * overlap)


@lru_cache(maxsize=64)
def _cosines(sessions: int, count: int) -> Floats:
    places = (np.arange(sessions) + 0.5) / sessions
    waves = np.cos(np.pi * np.outer(np.arange(1, count + 1), places))
    return np.asarray(sqrt(2 / sessions) * waves)
