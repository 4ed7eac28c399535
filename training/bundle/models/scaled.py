"""Quantiles in units of a feature of the last row, each moved by as much as calibration asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from training.bundle.model import Model, files_of, model, read
from training.forecast import Floats, Head, Values, positive

_INNER = "quantiles"


@model("scaled.json")
@dataclass(frozen=True)
class Scaled(Model):
    """inner: what answers in units of the scale. shifts: (width,), in these units.

    place: of the feature that is the scale, among all of them; usual: the scale where it is null.
    power: how far the scale follows the feature, see `scales`.
    """

    method: ClassVar[str] = "within_scale"

    inner: Model
    shifts: Floats
    place: int
    usual: float
    head: Head
    power: float = 1.0

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
        own: dict[str, Any] = {
            "shifts": self.shifts.tolist(),
            "place": self.place,
            "usual": self.usual,
        }
        if self.power != 1.0:
            own["power"] = self.power  # files of before do not tell, and follow all the way
        held = {f"{_INNER}/{name}": content for name, content in self.inner.files().items()}
        return {self.file: json.dumps(own).encode()} | held

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The model with its inner one."""
        own = json.loads(files[cls.file])
        inner = read(files_of(files, _INNER), head)
        shifts, power = np.array(own["shifts"]), float(own.get("power", 1.0))
        return cls(inner, shifts, int(own["place"]), float(own["usual"]), head, power)

    def _scale(self, values: Values) -> Floats:
        return scales(values[:, -1, self.place], self.usual, self.power)


def scales(values: NDArray[np.floating], usual: float, power: float) -> Floats:
    """Of values of a feature (n,), `usual` where it is null: the feature itself for a power of 1.

    Below 1 they follow it part of the way from what is usual, as the volatility of a longer horizon
    does, over which it returns to its level.
    """
    return np.asarray(positive(values, usual) ** power * usual ** (1.0 - power))
