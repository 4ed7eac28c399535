"""Multinomial logistic regression on features and on the few numbers that stand for a row.

The encoder learns of each fold's training rows, without their truth, and is part of the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from training.bundle.models.encoded import Encoded, widened
from training.bundle.models.linear import Linear
from training.bundle.scaler import Scaler
from training.encoders.encoding import ENCODERS
from training.expert import Expert, Span, expert
from training.experts.logistic import Logistic
from training.forecast import Classes, Head
from training.samples.samples import Samples


@expert("encoded_logistic", heads=(Classes,), libraries=("scikit-learn", "numpy"))
@dataclass(frozen=True)
class EncodedLogistic(Expert[Encoded]):
    """strength: inverse of the L2 penalty (scikit-learn's C). kind, width: of the encoder."""

    strength: float = 0.01
    kind: str = "autoencoder"
    width: int = 8

    def fit(self, samples: Samples, head: Head) -> Encoded:
        """Encoder and weights of the training rows."""
        samples.require_trainable()
        values = samples.values
        scaler = Scaler.fit(values)
        down, _ = ENCODERS.get(self.kind)(
            scaler.apply(values), min(self.width, len(samples.features))
        )
        wide = widened(values, scaler, down)
        both = Scaler.fit(wide)
        weights = Logistic(self.strength).weights(both.apply(wide), samples.truth, head)
        return Encoded(scaler, down, Linear(both, *weights, head), head)

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """As the plain one, from one number to many."""
        return {**Logistic.space(), "width": Span(1, 32, whole=True)}
