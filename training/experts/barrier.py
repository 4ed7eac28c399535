"""The chances of a Brownian motion between two levels, stretched and mended to be at their best."""

from dataclasses import dataclass

import numpy as np

from training.barriers import Barriers
from training.bundle.models.barriers import TwoBarriers
from training.expert import Expert, expert
from training.forecast import Head, Touches
from training.objectives.levels import FEATURES
from training.samples.samples import Samples


@expert("barrier", heads=(Touches,), libraries=("numpy", "scipy"))
@dataclass(frozen=True)
class Barrier(Expert[TwoBarriers]):
    """It knows volatility and distances alone: whether a level holds is no part of it."""

    def fit(self, samples: Samples, head: Head) -> TwoBarriers:
        """The law with the smallest log loss on the samples."""
        samples.require_trainable()
        values = np.column_stack([samples.column(name) for name in FEATURES])
        law = Barriers.fit(values.astype(np.float64), samples.truth)
        return TwoBarriers(law, tuple(map(samples.features.index, FEATURES)), head)
