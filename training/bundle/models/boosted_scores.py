"""Boosted trees (XGBoost) whose predictions are scores of the head."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from training.bundle.model import model
from training.bundle.models.boosted import Boosted
from training.forecast import Floats, Head, Values

_SHIFT = "shift"


@model("scores.ubj")
@dataclass(frozen=True)
class BoostedScores(Boosted):
    """A booster that does not know the link: what it predicts are scores, as its margins are.

    shift: what is added to each, (width,), kept as an attribute of the booster.
    """

    shift: tuple[float, ...]

    def forecast(self, values: Values) -> Floats:
        """The head's answers from what the trees say."""
        if not len(values):
            return np.empty((0, self.head.width))
        last = np.ascontiguousarray(values[:, -1])
        found = np.asarray(self.booster.inplace_predict(last, missing=np.nan), dtype=np.float64)
        return self.head.from_scores(found.reshape(-1, self.head.width) + self.shift)

    def explain(self, values: Values, typical: Values, start: Floats | None = None) -> Floats:
        """SHAP contributions, the shift in what is said without any feature."""
        found = super().explain(values, typical, start)
        found[:, :, -1] += self.shift
        return found

    def files(self) -> Mapping[str, bytes]:
        """One UBJ file."""
        self.booster.set_attr(**{_SHIFT: json.dumps(self.shift)})
        return super().files()

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The booster with its shift."""
        booster = Boosted.read({Boosted.file: files[cls.file]}, head).booster
        return cls(booster, head, tuple(json.loads(booster.attr(_SHIFT) or "[]")))
