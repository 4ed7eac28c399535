"""Filtered historical simulation (Barone-Adesi, Giannopoulos and Vosper, 1999).

How far a price may move now, by a HAR regression in logarithms that is fitted to absolute returns,
times what all instruments lost in units of that: the tails are those that came, not a normal law's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.bundle.models.loglinear import LogLinear, logarithms
from training.bundle.scaler import Scaler
from training.expert import Expert, Span, expert
from training.experts import har
from training.forecast import Floats, Head, Tails
from training.objectives.risk import HEAD, right
from training.samples.samples import Samples

_STEPS = 50
_STILL = 1e-10


@expert("filtered_simulation", heads=(Tails,), libraries=("numpy",))
@dataclass(frozen=True)
class FilteredSimulation(Expert[LogLinear]):
    """terms: the features whose logarithms tell the scale. ridge: penalty on their weights, of
    standardised logarithms. floor: of features and losses.
    """

    terms: tuple[str, ...] = (*har.FEATURES, "realised_volatility_decayed")
    ridge: float = 1e-3
    floor: float = HEAD.floor

    def fit(self, samples: Samples, head: Head) -> LogLinear:
        """The scale, and the quantiles of what was lost over it."""
        scale = self.scale(samples, head)
        return scale.times(right(self.forecast(scale, samples), samples.truth))

    def scale(self, samples: Samples, head: Head) -> LogLinear:
        """A model that says the mean absolute return of each row, in every number."""
        samples.require_trainable()
        logs = logarithms(np.column_stack([samples.column(n) for n in self.terms]), self.floor)
        scaler = Scaler.fit(logs)
        moved = np.maximum(np.abs(samples.truth), self.floor)
        weights, intercept = self._weights(scaler.apply(logs), moved)
        places = tuple(map(samples.features.index, self.terms))
        every = np.tile(weights, (head.width, 1)), np.full(head.width, intercept)
        return LogLinear(scaler, *every, head, places, self.floor)

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """From nearly free to shrunk by a half."""
        return {"ridge": Span(1e-5, 1.0, log=True)}

    def _weights(self, x: Floats, moved: Floats) -> tuple[Floats, float]:
        # The mean of moved / s + ln s is smallest: quasi-likelihood, by Fisher's scoring.
        wide = np.column_stack([x, np.ones(len(x))])
        penalty = np.append(np.full(x.shape[1], self.ridge), 0.0)
        curvature = wide.T @ wide / len(x) + np.diag(penalty + 1e-12)
        found = np.append(np.zeros(x.shape[1]), np.log(moved.mean()))
        for _ in range(_STEPS):
            over = moved * np.exp(-wide @ found) - 1.0
            step = np.linalg.solve(curvature, wide.T @ over / len(x) - penalty * found)
            found = found + step
            if np.abs(step).max() < _STILL:
                break
        return found[:-1], float(found[-1])
