"""Weighted sums of the logarithms of some features of the last row of each window."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from training.bundle.model import ModelError, model
from training.bundle.models.linear import Linear
from training.forecast import Floats, Head, Value, Values


@model("loglinear.json")
@dataclass(frozen=True)
class LogLinear(Linear):
    """A Linear of logarithms; places: of the features that are looked at, among all of them.

    floor: above 0, what a feature below it counts as.
    """

    places: tuple[int, ...]
    floor: float

    def forecast(self, values: Values) -> Floats:
        """The head's answers from the sums."""
        return super().forecast(self._taken(values))

    def explain(self, values: Values, typical: Values) -> Floats:
        """The terms of the sums; features that are not looked at add nothing."""
        terms = super().explain(self._taken(values), typical)
        found = np.zeros((*terms.shape[:2], values.shape[2] + 1))
        found[:, :, [*self.places, -1]] = terms
        return found

    def files(self) -> Mapping[str, bytes]:
        """One JSON file: that of a Linear, with places and floor."""
        [of_linear] = super().files().values()
        own = {"places": self.places, "floor": self.floor}
        return {self.file: json.dumps(json.loads(of_linear) | own).encode()}

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The sums of logarithms."""
        fields = json.loads(files[cls.file])
        read = Linear.read({Linear.file: files[cls.file]}, head)
        places, floor = tuple(fields["places"]), float(fields["floor"])
        return cls(read.scaler, read.weights, read.intercept, head, places, floor)

    def right_on_average(self, said: Floats, truth: Floats) -> Self:
        """Mended by the factor that makes the mean of what came over what it `said` (n, 1) 1.

        Of the head's moment. The mean of a logarithm is not the logarithm of a mean: Duan (1983),
        "Smearing estimate", which needs no law of the errors.
        """
        ratios = (np.maximum(truth, self.floor) / said[:, 0]) ** moment_of(self.head)
        return replace(self, intercept=self.intercept + np.log(ratios.mean()))

    def times(self, factors: Floats) -> Self:
        """Each number multiplied, (width,)."""
        return replace(self, intercept=self.intercept + np.log(factors))

    def _taken(self, values: Values) -> Values:
        return logarithms(values[:, :, list(self.places)], self.floor)


def logarithms(values: Values, floor: float) -> Values:
    """Of values of any shape; nulls stay null."""
    return np.log(np.maximum(values, np.float32(floor)))


def moment_of(head: Head) -> int:
    """The moment of a head of values above 0; raises ModelError for another one."""
    if not isinstance(head, Value) or head.link != "log":
        raise ModelError(f"expected a head of values above 0 for sums of logarithms, found {head}")
    return head.moment
