"""Multinomial logistic regression in which what headlines mean has few directions.

The numbers of their meaning are many and small; of each fold's training rows the principal
components with most variance stand for them. Both steps are sums, so that what is left of them is
one weight per feature, as of any regression.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.bundle.models.linear import Linear
from training.bundle.scaler import Scaler
from training.expert import Expert, Span, expert
from training.experts.logistic import Logistic
from training.forecast import Classes, Floats, Head
from training.samples.samples import Samples

PREFIX = "news_meaning_"


@expert("reduced_logistic", heads=(Classes,), libraries=("scikit-learn", "numpy"))
@dataclass(frozen=True)
class ReducedLogistic(Expert[Linear]):
    """strength: inverse of the L2 penalty (scikit-learn's C). width: components that are kept."""

    strength: float = 0.01
    width: int = 4

    def fit(self, samples: Samples, head: Head) -> Linear:
        """Scaler, components and weights of the training rows, as weights of the features."""
        samples.require_trainable()
        scaler = Scaler.fit(samples.values)
        turned = self._turned(scaler.apply(samples.values), samples.features)
        weights, intercept = Logistic(self.strength).weights(
            scaler.apply(samples.values) @ turned.T, samples.truth, head
        )
        return Linear(scaler, weights @ turned, intercept, head)

    def _turned(self, scaled: Floats, features: tuple[str, ...]) -> Floats:
        """From features to what is learnt from, (m, k): the rest as it is, then the components."""
        meant = np.array([name.startswith(PREFIX) for name in features])
        rest: Floats = np.eye(len(features))[~meant]
        if not meant.any():
            return rest
        found = scaled[:, meant]
        # The second moment of rows without headlines is nil: they turn no component.
        values, vectors = np.linalg.eigh(found.T @ found / len(found))
        kept = np.argsort(-values, kind="stable")[: self.width]
        parts = np.zeros((len(kept), len(features)))
        # The sign of a component is anybody's; here its largest number is above 0.
        columns = vectors[:, kept] * np.sign(vectors[np.abs(vectors[:, kept]).argmax(axis=0), kept])
        parts[:, meant] = (columns / np.sqrt(np.maximum(values[kept], 1e-6))).T
        return np.concatenate([rest, parts])

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """As the plain one, from one component to all."""
        return {**Logistic.space(), "width": Span(1, 32, whole=True)}
