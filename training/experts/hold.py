"""Nothing is held, whatever the features say: champion zero of signals."""

from dataclasses import dataclass

import numpy as np

from training.bundle.models.constant import Constant
from training.expert import Expert, expert
from training.forecast import Head, Position
from training.samples.samples import Samples


@expert("hold", heads=(Position,), libraries=("numpy",))
@dataclass(frozen=True)
class Hold(Expert[Constant]):
    """No hyperparameters."""

    def fit(self, samples: Samples, head: Head) -> Constant:
        """A position of 0."""
        samples.require_trainable()
        return Constant(np.zeros(head.width), head)
