"""The frequencies of the classes, whatever the features say."""

from dataclasses import dataclass

from training.bundle.models.constant import Constant
from training.expert import Expert, expert
from training.forecast import Classes, Head, frequencies
from training.samples.samples import Samples


@expert("class_prior", heads=(Classes,), libraries=("numpy",))
@dataclass(frozen=True)
class ClassPrior(Expert[Constant]):
    """smoothing: rows added to each class, so that an unseen class keeps some probability."""

    smoothing: float = 1.0

    def fit(self, samples: Samples, head: Head) -> Constant:
        """Class probabilities (width,)."""
        samples.require_trainable()
        return Constant(frequencies(samples.truth, head, self.smoothing), head)
