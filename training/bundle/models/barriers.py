"""The reflection principle on the distances of two barriers, in the last row of each window."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from training.barriers import Barriers
from training.bundle.model import Model, model
from training.forecast import Floats, Head, Values


@model("barriers.json")
@dataclass(frozen=True)
class TwoBarriers(Model):
    """places: of the distances and the volatility that the law takes, among all features."""

    law: Barriers
    places: tuple[int, ...]
    head: Head

    def forecast(self, values: Values) -> Floats:
        """What the law says; the usual chances where one of the three is null."""
        return self.law.chances(values[:, -1, list(self.places)].astype(np.float64))

    def scores(self, values: Values) -> Floats:
        """The logarithms of its chances, (n, width)."""
        return np.asarray(np.log(self.forecast(values)))

    def files(self) -> Mapping[str, bytes]:
        """One JSON file."""
        law = self.law
        fields = {"stretch": law.stretch, "slope": law.slope, "places": self.places}
        fields |= {"shift": law.shift.tolist(), "usual": law.usual.tolist()}
        return {self.file: json.dumps(fields).encode()}

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The law."""
        fields = json.loads(files[cls.file])
        shift, usual = (np.array(fields[name]) for name in ("shift", "usual"))
        law = Barriers(fields["stretch"], fields["slope"], shift, usual)
        return cls(law, tuple(fields["places"]), head)
