"""The frequencies of the classes, whatever the features say: champion zero and first baseline."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.bundle.models import PRIOR, constant
from training.expert import Expert, expert
from training.forecast import CLASSES, Floats, Forecasts, Values, normalised
from training.samples.samples import Samples


@expert("class_prior", objective="trend", libraries=("numpy",))
@dataclass(frozen=True)
class ClassPrior(Expert[Floats]):
    """smoothing: rows added to each class, so that an unseen class keeps some probability."""

    smoothing: float = 1.0

    def fit(self, samples: Samples) -> Floats:
        """Class probabilities (3,)."""
        samples.require_trainable()
        counts = np.bincount(samples.labels, minlength=len(CLASSES))
        return np.ravel(normalised(counts + self.smoothing))

    def predict(self, fitted: Floats, values: Values) -> Forecasts:
        """The prior, for every row."""
        return Forecasts(constant(fitted)(values))

    def export(self, fitted: Floats) -> Mapping[str, bytes]:
        """One JSON file."""
        return {PRIOR: json.dumps({"probabilities": fitted.tolist()}).encode()}
