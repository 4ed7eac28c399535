"""The volatility of the newest 22 sessions, times the factor that makes it right on average."""

from dataclasses import dataclass

import numpy as np

from training.bundle.models.loglinear import LogLinear, logarithms, moment_of
from training.bundle.scaler import Scaler
from training.expert import Expert, expert
from training.forecast import Head, Value
from training.objectives.volatility import FLOOR
from training.samples.samples import Samples

FEATURE = "realised_volatility_22"


@expert("mean_22", heads=(Value,), libraries=("numpy",))
@dataclass(frozen=True)
class Mean22(Expert[LogLinear]):
    """floor: of features and truths. Where the feature is null, its usual value stands for it."""

    floor: float = FLOOR

    def fit(self, samples: Samples, head: Head) -> LogLinear:
        """The factor; a sum of one logarithm."""
        samples.require_trainable()
        scaler = Scaler.fit(logarithms(samples.column(FEATURE)[:, None], self.floor))
        weight = moment_of(head) * scaler.weights[None]
        places = (samples.features.index(FEATURE),)
        plain = LogLinear(scaler, weight, np.zeros(1), head, places, self.floor)
        return plain.right_on_average(self.forecast(plain, samples), samples.truth)
