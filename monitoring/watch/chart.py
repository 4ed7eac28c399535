"""When a number per session has left what its own past allows: one false alarm a year at most.

A cumulative sum of how far the numbers lie from their mean before. What it may come to by chance is
found by living through years in which nothing changes, made of the past's own shocks.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from training.forecast import Floats

# Sessions without which nothing is said, and those of the past that count.
LEAST, MOST = 60, 1_000
YEAR = 252
# The chance that a year in which nothing changes comes to an alarm, and to a severe one. An alarm
# may last and another come after it: at a tenth, two of them in a year are rarer than one in fifty.
ALARMED, SEVERE = 0.1, 0.01
# A number farther off than so many of its deviations counts no more: one session decides nothing.
FURTHEST = 5.0
# How far off is nothing yet: a quarter of a deviation, and thrice what the mean is unsure of.
ALLOWED, UNSURE = 0.25, 3.0
_DECAY = 0.97
_YEARS, _WARM = 1_000, 50
_BLOCK = 5
# Above it the numbers are taken for a walk that would never come back.
_LASTING = 0.98


@dataclass(frozen=True)
class Chart:
    """The sum of each watched session (m,) and its limits; began: where its last rise began, the
    place among the watched, None while it stands at zero."""

    numbers: Floats
    threshold: float
    severe: float
    began: int | None

    @property
    def number(self) -> float:
        """The newest sum; 0 before any session is watched."""
        return float(self.numbers[-1]) if len(self.numbers) else 0.0


def chart(values: Floats, before: int, overlap: int, *, both: bool, seed: int) -> Chart | None:
    """The chart of the values after the first `before`, by which it is calibrated.

    values: one number per session, all finite. overlap: sessions that one of them tells of. both:
    whether a fall is as much of a change as a rise. Page (1954), Continuous inspection schemes; the
    limits are quantiles of a year's highest sum, the mean, the scale and the memory of the past
    being learnt anew in each of the years. None where the past is shorter than LEAST.
    """
    if before < LEAST or len(values) < before:
        return None
    past = _Past.of(values[max(0, before - MOST) : before], overlap)
    threshold, severe = past.limits(both=both, seed=seed)
    kept = values[max(0, before - MOST) :]
    found = _sums(_scaled(kept[None], past.size), past.allowed, both=both, most=2 * severe)[0]
    zero = np.flatnonzero(found <= 0)
    began = int(zero[-1]) + 1 if len(zero) else 0
    return Chart(found, threshold, severe, began if began < len(found) else None)


@dataclass(frozen=True)
class _Past:
    """What is simulated: shocks in blocks, and how much of a number stays in the next."""

    size: int
    memory: float
    shocks: Floats
    block: int

    @classmethod
    def of(cls, values: Floats, overlap: int) -> "_Past":
        n, apart = len(values), values - values.mean()
        square = float((apart**2).sum())
        lag = float((apart[1:] * apart[:-1]).sum()) / square if square else 0.0
        memory = min(max(lag + (1 + 3 * lag) / n, 0.0), _LASTING)  # Kendall (1954): its bias
        # In units of their usual size then: storms are told by the scale, here as in a chart.
        shocks = (apart[1:] - memory * apart[:-1]) / _calm(values[None], n)[0, 1:]
        return cls(n, memory, shocks - shocks.mean(), max(_BLOCK, 2 * overlap))

    @property
    def allowed(self) -> float:
        """What is no distance yet: more where the mean of the past is unsure."""
        unsure = np.sqrt((1 + self.memory) / (1 - self.memory) / self.size)
        return max(ALLOWED, UNSURE * float(unsure))

    def limits(self, *, both: bool, seed: int) -> tuple[float, float]:
        """The sums that a year without a change exceeds with the chances ALARMED and SEVERE."""
        sums = _sums(_scaled(self._years(seed), self.size), self.allowed, both=both, most=np.inf)
        alarmed, severe = np.quantile(sums.max(axis=1), [1 - ALARMED, 1 - SEVERE])
        # Where the past never moved, still more than one session has to say so.
        return max(float(alarmed), FURTHEST), max(float(severe), 2 * FURTHEST)

    def _years(self, seed: int) -> Floats:
        draw = np.random.default_rng(seed)
        length = _WARM + self.size + YEAR
        count = -(-length // self.block)
        starts = draw.integers(len(self.shocks), size=(_YEARS, count, 1))
        places = (starts + np.arange(self.block)) % len(self.shocks)
        shocks = self.shocks[places.reshape(_YEARS, -1)[:, :length]]
        # Of few sessions the memory is not well known either.
        error = np.sqrt((1 - self.memory**2) / self.size)
        memory = np.clip(draw.normal(self.memory, error, _YEARS), 0.0, _LASTING)
        made = (lfilter([1.0], [1.0, -m], row) for m, row in zip(memory, shocks, strict=True))
        return np.stack([np.asarray(row) for row in made])[:, _WARM:]


def _scaled(paths: Floats, before: int) -> Floats:
    """What comes after the first `before` numbers of each path, in deviations of those, (k, m)."""
    known = paths[:, :before]
    mean, spread = known.mean(axis=1, keepdims=True), known.std(axis=1, keepdims=True)
    # Of what never moved, any move is far.
    spread = np.where(spread > 1e-9 * (1 + np.abs(mean)), spread, 1e-30)
    apart = np.where(np.abs(paths - mean) <= 1e-12 * (1 + np.abs(mean)), 0.0, paths - mean)
    found = np.clip(apart / (spread * _calm(paths, before)), -FURTHEST, FURTHEST)
    return np.asarray(found[:, before:])


def _calm(paths: Floats, before: int) -> Floats:
    """How rough the sessions before each one were beside the usual, by steps between neighbours.

    A level that moved is one large step, and no roughness: only storms hide what they shake.
    """
    steps = np.diff(paths, axis=1) ** 2
    usual = steps[:, : before - 1].mean(axis=1, keepdims=True)
    rough = np.minimum(steps / np.where(usual > 0, usual, 1.0), FURTHEST**2)
    kept = [1 - _DECAY], [1, -_DECAY]
    mean, _ = lfilter(*kept, rough, axis=1, zi=np.full((len(paths), 1), _DECAY))
    ones = np.ones((len(paths), 1))
    return np.asarray(np.sqrt(np.maximum(np.hstack([ones, ones, mean])[:, : paths.shape[1]], 0.1)))


def _sums(scaled: Floats, allowed: float, *, both: bool, most: float) -> Floats:
    """Cumulative sums (k, m) of what is beyond the allowed, never below 0; of two sides the
    larger."""
    sides = np.stack([scaled, -scaled] if both else [scaled]) - allowed
    sums, held = np.zeros_like(scaled), np.zeros(sides.shape[:2])
    for t in range(scaled.shape[1]):
        held = np.clip(held + sides[..., t], 0.0, most)
        sums[:, t] = held.max(axis=0)
    return sums
