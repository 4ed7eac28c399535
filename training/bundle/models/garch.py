"""GARCH with its own recursion over the returns of each window (Glosten, Jagannathan, Runkle)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np

from training.bundle.model import Model, model
from training.forecast import Floats, Head, Values

_SWING = 1.0  # what a return beyond counts as


@dataclass(frozen=True)
class Terms:
    """shock, fall, kept: of the squared return, of that of a falling session, of the variance
    before; what they leave of 1 goes to the instrument's own level. usual: the level (a variance)
    where none is known. lasting: the share of the excess over the level that the horizon sees.
    factor: of the variance. floor: the least volatility.
    """

    shock: float
    fall: float
    kept: float
    usual: float
    lasting: float = 1.0
    factor: float = 1.0
    floor: float = 1e-4

    @property
    def level(self) -> float:
        """The weight of the instrument's own level."""
        return 1.0 - self.shock - self.fall / 2.0 - self.kept


@model("garch.json")
@dataclass(frozen=True)
class Garch(Model):
    """returns, levels: the places of the daily return and of the long-run volatility."""

    terms: Terms
    returns: int
    levels: int
    window: int
    head: Head

    def forecast(self, values: Values) -> Floats:
        """The root of the mean variance that the horizon is to have."""
        level, excess = self.variances(values)
        terms = self.terms
        mean = terms.factor * np.maximum(level + terms.lasting * excess, terms.floor**2)
        return self.head.from_means(mean)

    def variances(self, values: Values) -> tuple[Floats, Floats]:
        """Each instrument's own level, and by how much the next session's variance is above it."""
        terms = self.terms
        moved = np.clip(values[:, -self.window :, self.returns].astype(np.float64), -_SWING, _SWING)
        known = np.clip(values[:, -1, self.levels].astype(np.float64), terms.floor, _SWING) ** 2
        level = np.where(np.isfinite(known), known, terms.usual)
        variance = level
        for step in moved.T:
            # What is not there moved as much as was expected.
            square = np.where(np.isfinite(step), step**2, variance)
            half = np.where(np.isfinite(step), step < 0, 0.5)
            shocked = (terms.shock + terms.fall * half) * square
            variance = terms.level * level + shocked + terms.kept * variance
        return level, variance - level

    def files(self) -> Mapping[str, bytes]:
        """One JSON file."""
        own = {"returns": self.returns, "levels": self.levels, "window": self.window}
        return {self.file: json.dumps({"terms": asdict(self.terms), **own}).encode()}

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The terms, as they were written."""
        fields = json.loads(files[cls.file])
        return cls(Terms(**fields.pop("terms")), **fields, head=head)
