"""Quantiles in units of a feature of the last row, each moved by as much as calibration asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from training.bundle.model import Model, files_of, model, read
from training.forecast import Floats, Head, Values, positive

_INNER = "quantiles"


@model("scaled.json")
@dataclass(frozen=True)
class Scaled(Model):
    """inner: what answers in units of the scale. shifts: (width,), in these units.

    place: of the feature that is the scale, among all of them; usual: the scale where it is null.
    """

    method: ClassVar[str] = "within_scale"

    inner: Model
    shifts: Floats
    place: int
    usual: float
    head: Head

    def forecast(self, values: Values) -> Floats:
        """The inner answers, moved, times the scale."""
        said = self.inner.forecast(values) + self.shifts
        return self.head.from_scores(said * self._scale(values)[:, None])

    def explain(self, values: Values, typical: Values) -> Floats:
        """What the features add within the inner model, times the scale.

        What is said without any feature carries the scale; so does all of a model that has none.
        """
        why = self.inner.explain(values, typical)
        if why is None:
            inner = self.inner.forecast(values)
            why = np.zeros((*inner.shape, values.shape[2] + 1))
            why[:, :, -1] = inner
        # Quantiles that cross are brought into order before they are moved, and so are reasons.
        order = why.sum(axis=2).argsort(axis=1, kind="stable")
        found = np.take_along_axis(why.astype(np.float64), order[:, :, None], axis=1)
        found[:, :, -1] += self.shifts
        return np.asarray(found * self._scale(values)[:, None, None])

    def files(self) -> Mapping[str, bytes]:
        """One JSON file, and those of the inner model in a folder."""
        own = {"shifts": self.shifts.tolist(), "place": self.place, "usual": self.usual}
        held = {f"{_INNER}/{name}": content for name, content in self.inner.files().items()}
        return {self.file: json.dumps(own).encode()} | held

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The model with its inner one."""
        own = json.loads(files[cls.file])
        inner = read(files_of(files, _INNER), head)
        return cls(inner, np.array(own["shifts"]), int(own["place"]), float(own["usual"]), head)

    def _scale(self, values: Values) -> Floats:
        return positive(values[:, -1, self.place], self.usual)
