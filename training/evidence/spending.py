"""How a level is spent over all contests of one incumbent (group sequential, Lan and DeMets 1983).

Each contest looks at the sessions of all before it and at its own new ones. Luck that is looked
at often enough wins at last; so a year of looks shares one level, and each look may use what the
time since the first has released of it.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt

import numpy as np

from training.forecast import Floats

YEAR = 252  # sessions
_REACH, _STEPS = 8.0, 10.0  # the grid's ends in deviations, its steps per deviation of an increment


@lru_cache(maxsize=4096)
def allowed(looks: tuple[int, ...], yearly: float, at_once: float) -> float:
    """The p-value below which the last look is sure: at most `yearly` of false ones in a year.

    looks: sessions seen at each, growing. at_once: the share of the first year that the first
    look may spend. The chance that a sum of independent sessions without gain has not crossed
    yet is followed from look to look over a grid (Armitage, McPherson and Rowe 1969).
    """
    from scipy.special import ndtr

    step = sqrt(min(np.diff(looks, prepend=0))) / _STEPS
    grid = np.arange(-_REACH * sqrt(looks[-1]), _REACH * sqrt(looks[-1]) + step, step)
    left, seen, spent, edge = np.zeros(0), 0, 0.0, 0.0
    for look in looks:
        left = _later(left, grid, look - seen, step)
        released = yearly * _share(look - looks[0], at_once)
        left, edge = _stopped(left, grid, (released - spent) * min(1.0, left.sum()))
        seen, spent = look, released
    return float(ndtr(-edge / sqrt(looks[-1])))


def _share(sessions: int, at_once: float) -> float:
    # In years; the root lets a steady gain be seen in the first months.
    years = sessions / YEAR
    return years if years >= 1 else at_once + (1 - at_once) * sqrt(years)


def _later(left: Floats, grid: Floats, sessions: int, step: float) -> Floats:
    # The masses of the sum on the grid after so many sessions more.
    if not len(left):
        return _normal(grid, sessions, step)
    reach = int(_REACH * sqrt(sessions) / step) + 1
    near: Floats = step * np.arange(-reach, reach + 1, dtype=np.float64)
    later: Floats = np.convolve(left, _normal(near, sessions, step), "same")
    return later


def _normal(places: Floats, variance: int, step: float) -> Floats:
    density = np.exp(-(places**2) / (2 * variance)) / sqrt(2 * np.pi * variance)
    return np.asarray(step * density)


def _stopped(left: Floats, grid: Floats, spend: float) -> tuple[Floats, float]:
    # Cuts off the upper tail of that mass; a cell's mass is spread evenly over it.
    above = np.cumsum(left[::-1])[::-1]
    cell = int(np.searchsorted(-above, -spend)) - 1
    if cell < 0 or spend <= 0:
        return left, float(grid[-1])
    part = (spend - above[cell + 1]) / left[cell]
    kept = left.copy()
    kept[cell + 1 :] = 0.0
    kept[cell] *= 1 - part
    return kept, float(grid[cell] + (grid[1] - grid[0]) * (0.5 - part))


def looks_of(counts: Sequence[int], minimum: int) -> tuple[int, ...]:
    """Sessions seen at each look, from how many each contest added; too few are no look."""
    seen = np.cumsum(np.array(counts, dtype=int))
    return tuple(int(n) for n in np.unique(seen) if n >= minimum)
