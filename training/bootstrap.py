"""Moving-block bootstrap over sessions (Kuensch 1989): instruments of a session stay together."""

from dataclasses import dataclass

import numpy as np

from training.forecast import Floats


@dataclass(frozen=True)
class Blocks:
    """draws: resamples; length: sessions in a block; seed: same seed, same resamples."""

    draws: int = 2000
    length: int = 10
    seed: int = 7

    def weights(self, sessions: int) -> Floats:
        """How often each session is drawn: (draws, sessions), each row sums to `sessions`.

        Paired comparisons use one and the same matrix for both sides.
        """
        length = min(self.length, sessions)
        blocks = -(-sessions // length)
        random = np.random.default_rng(self.seed)
        starts = random.integers(0, sessions - length + 1, (self.draws, blocks))
        drawn = (starts[:, :, None] + np.arange(length)).reshape(self.draws, -1)[:, :sessions]
        flat = drawn + sessions * np.arange(self.draws)[:, None]
        counts = np.bincount(flat.ravel(), minlength=self.draws * sessions)
        return counts.reshape(self.draws, sessions).astype(np.float64)


def interval(draws: Floats, level: float = 0.95) -> tuple[float, float]:
    """The central percentile interval of resampled values (draws,)."""
    tail = (1 - level) / 2
    low, high = np.quantile(draws, (tail, 1 - tail))
    return float(low), float(high)
