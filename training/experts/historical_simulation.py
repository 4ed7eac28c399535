"""What an instrument's own year lost, times the factors that make it right in training."""

from dataclasses import dataclass

import numpy as np

from training.bundle.models.loglinear import LogLinear, logarithms
from training.bundle.scaler import Scaler
from training.expert import Expert, expert
from training.forecast import Head, Tails
from training.objectives.risk import HEAD, HISTORY, right
from training.samples.samples import Samples


@expert("historical_simulation", heads=(Tails,), libraries=("numpy",))
@dataclass(frozen=True)
class HistoricalSimulation(Expert[LogLinear]):
    """floor: of features. Where they are null, their usual values stand for them."""

    floor: float = HEAD.floor

    def fit(self, samples: Samples, head: Head) -> LogLinear:
        """The factors; each number is a sum of one logarithm."""
        samples.require_trainable()
        logs = logarithms(np.column_stack([samples.column(n) for n in HISTORY]), self.floor)
        scaler = Scaler.fit(logs)
        weights = np.tile(np.diag(scaler.weights), (2, 1))
        places = tuple(map(samples.features.index, HISTORY))
        plain = LogLinear(scaler, weights, np.tile(scaler.mean, 2), head, places, self.floor)
        return plain.times(right(self.forecast(plain, samples), samples.truth))
