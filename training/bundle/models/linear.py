"""Weighted sums of scaled features of the last row of each window."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from training.bundle.model import Model, model
from training.bundle.scaler import Scaler
from training.forecast import Floats, Head, Values


@model("linear.json")
@dataclass(frozen=True)
class Linear(Model):
    """A scaler, weights (width, k) and intercept (width,): scores of the head."""

    method: ClassVar[str] = "terms"

    scaler: Scaler
    weights: Floats
    intercept: Floats
    head: Head

    def forecast(self, values: Values) -> Floats:
        """The head's answers from the sums."""
        return self.head.from_scores(
            self.scaler.apply(values[:, -1]) @ self.weights.T + self.intercept
        )

    def explain(self, values: Values, typical: Values) -> Floats:  # noqa: ARG002
        """The terms of the sums."""
        terms = self.scaler.apply(values[:, -1])[:, None, :] * self.weights
        own = np.broadcast_to(self.intercept[:, None], (len(values), self.head.width, 1))
        return np.concatenate([terms, own], axis=2)

    def files(self) -> Mapping[str, bytes]:
        """One JSON file, the scaler in it."""
        own = {"weights": self.weights.tolist(), "intercept": self.intercept.tolist()}
        return {self.file: json.dumps({"scaler": self.scaler.as_json(), **own}).encode()}

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The sums."""
        fields = json.loads(files[cls.file])
        weights, intercept = (np.array(fields[name]) for name in ("weights", "intercept"))
        return cls(Scaler.parse(fields["scaler"]), weights, intercept, head)
