"""Two bundles compared session by session, so that one may look every day and stop at any."""

from dataclasses import dataclass

import numpy as np

from training.evidence.intervals import per_session
from training.forecast import Floats

# The chance that a comparison of equals ever says otherwise, however often it is looked at.
LEVEL = 0.05
# Sessions that set the scale first, how slowly it forgets, and how few more tell nothing.
WARM_UP, DECAY, FEWEST = 10, 0.94, 30
# Where the sequence is narrowest: about a year.
_BEST_AT = 250
# Beyond this many times their own usual size differences count no more: one day decides nothing.
_FURTHEST = 5.0


@dataclass(frozen=True)
class Compared:
    """A loss of two bundles over paired sessions, first minus second.

    difference: the mean per row. n: sessions, or blocks of them where labels overlap, that count.
    low, high: of the scaled difference, at any time at once (infinite while few are known).
    """

    difference: float
    n: int
    low: float
    high: float

    @property
    def larger(self) -> bool:
        """Whether the first one loses more, beyond what chance would ever show."""
        return self.low > 0

    @property
    def smaller(self) -> bool:
        """Whether the first one loses less."""
        return self.high < 0


def compared(
    differences: Floats, sessions: np.ndarray, horizon: int, level: float = LEVEL
) -> Compared:
    """Differences of n rows by session, as one number per session, scaled by an EWMA of its past.

    An asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, 2024): it
    holds at all times together. Labels of `horizon` sessions are told by blocks of that length.
    """
    from ville import AsymptoticCS

    mean = float(differences.mean()) if len(differences) else 0.0
    _, sums, rows = per_session(differences, sessions)
    blocks = len(sums) // horizon
    place = np.arange(blocks * horizon) // horizon
    of_block = [np.bincount(place, part[: len(place)], blocks) for part in (sums, rows)]
    scaled = standardised(of_block[0] / np.maximum(of_block[1], 1.0))
    if not len(scaled):
        return Compared(mean, 0, -np.inf, np.inf)
    found = AsymptoticCS(alpha=level, t_opt=_BEST_AT, min_samples=FEWEST).fit(scaled)
    return Compared(mean, len(scaled), float(found.lower_[-1]), float(found.upper_[-1]))


def standardised(values: Floats) -> Floats:
    """Values in units of the root of an EWMA of their squares before, without the first WARM_UP."""
    if len(values) <= WARM_UP:
        return np.empty(0)
    square, found = float(np.mean(values[:WARM_UP] ** 2)), []
    for value in values[WARM_UP:]:
        found.append(value / np.sqrt(square) if square else 0.0)
        square = DECAY * square + (1.0 - DECAY) * value**2
    return np.asarray(np.clip(np.array(found), -_FURTHEST, _FURTHEST), dtype=np.float64)
