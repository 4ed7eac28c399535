"""Heterogeneous autoregression of volatility (Corsi, 2009) in logarithms, one for all instruments.

Clements and Preve (2021), "A practical guide to harnessing the HAR volatility model": the logarithm
mends what least squares on levels suffers from, and pooled rows make up for short histories.
What the market realised and how far prices fell (Corsi and Reno, 2012) stand beside.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.bundle.models.loglinear import LogLinear, logarithms, moment_of
from training.bundle.scaler import Scaler
from training.expert import Expert, Span, expert
from training.forecast import Floats, Head, Value
from training.objectives.volatility import FLOOR
from training.samples.samples import Samples

FEATURES = (
    *(f"realised_volatility_{sessions}" for sessions in (1, 5, 22, 66, 252)),
    *("market_volatility_1", "market_volatility_5"),
    *("fall_1", "fall_5", "market_fall_1"),
)


@expert("har", heads=(Value,), libraries=("numpy",))
@dataclass(frozen=True)
class Har(Expert[LogLinear]):
    """terms: the features whose logarithms it sums up. ridge: penalty on the weights of these,
    standardised. floor: of features and truths.
    """

    terms: tuple[str, ...] = FEATURES

    ridge: float = 1e-3
    floor: float = FLOOR

    def fit(self, samples: Samples, head: Head) -> LogLinear:
        """Least squares on logarithms, then right on average in levels."""
        samples.require_trainable()
        values = np.column_stack([samples.column(name) for name in self.terms])
        logs = logarithms(values, self.floor)
        scaler = Scaler.fit(logs)
        truth = np.maximum(samples.truth, self.floor)
        weights = self._weights(scaler.apply(logs), moment_of(head) * np.log(truth))
        places = tuple(map(samples.features.index, self.terms))
        sums = LogLinear(scaler, weights[None], np.zeros(1), head, places, self.floor)
        return sums.right_on_average(self.forecast(sums, samples), truth)

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """From nearly free to shrunk by a half."""
        return {"ridge": Span(1e-5, 1.0, log=True)}

    def _weights(self, x: Floats, y: Floats) -> Floats:
        x = x - x.mean(axis=0)
        penalty = self.ridge * np.eye(x.shape[1])
        found = np.linalg.solve(x.T @ x / len(x) + penalty, x.T @ (y - y.mean()) / len(x))
        return np.asarray(found, dtype=np.float64)
