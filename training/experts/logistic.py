"""Multinomial logistic regression (scikit-learn) on standardised features."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.bundle.models.linear import Linear
from training.bundle.scaler import Scaler
from training.expert import Expert, Span, expert
from training.forecast import Classes, Floats, Head
from training.objective import Truth
from training.samples.samples import Samples

# The intercept of a class that never came: its probability is nil beside any other.
_NEVER = -30.0


@expert("logistic", heads=(Classes,), libraries=("scikit-learn", "numpy"))
@dataclass(frozen=True)
class Logistic(Expert[Linear]):
    """strength: inverse of the L2 penalty (scikit-learn's C)."""

    strength: float = 0.01

    def fit(self, samples: Samples, head: Head) -> Linear:
        """Scaler and weights of the training rows."""
        samples.require_trainable()
        values = samples.values
        scaler = Scaler.fit(values)
        return Linear(scaler, *self.weights(scaler.apply(values), samples.truth, head), head)

    def weights(self, scaled: Floats, truth: Truth, head: Head) -> tuple[Floats, Floats]:
        """Weights (width, k) and intercept (width,) learnt of scaled rows (n, k)."""
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=self.strength, max_iter=500)
        model.fit(scaled, truth)
        weights = np.zeros((head.width, scaled.shape[1]))
        intercept = np.full(head.width, _NEVER)
        # Of two classes the model holds only the second one's odds.
        found = model.classes_ if len(model.classes_) > 2 else model.classes_[1:]
        intercept[model.classes_] = 0
        weights[found], intercept[found] = model.coef_, model.intercept_
        return weights, intercept

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """From nearly the prior to nearly free."""
        return {"strength": Span(1e-4, 1.0, log=True)}
