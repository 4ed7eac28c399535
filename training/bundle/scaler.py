"""Values brought to one scale, nulls to the middle of it. Light: numpy only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.forecast import Floats, Values

_NOTHING = 1e30
FAR = 8.0  # deviations; what lies beyond, infinity included, is brought there


@dataclass(frozen=True)
class Scaler:
    """mean and deviation (k,) of the rows it was fitted on; made inside the fold like any weight.

    A feature that was null throughout, or constant, tells nothing and becomes 0 everywhere.
    """

    mean: Floats
    deviation: Floats

    @classmethod
    def fit(cls, values: Values) -> "Scaler":
        """The scaler of training rows (n, k); nulls are NaN and left out."""
        known = np.isfinite(values)
        wide = np.where(known, values, 0).astype(np.float64)
        count = np.maximum(known.sum(axis=0), 1)
        mean = wide.sum(axis=0) / count
        spread = np.sqrt((np.where(known, wide - mean, 0) ** 2).sum(axis=0) / count)
        # A deviation so large sends every value to 0.
        return cls(mean, np.where(spread > 1e-9 * (1 + np.abs(mean)), spread, _NOTHING))

    @property
    def weights(self) -> Floats:
        """By which scaled values are values again, (k,); 0 of a feature that tells nothing."""
        return np.where(self.deviation < _NOTHING, self.deviation, 0.0)

    @classmethod
    def parse(cls, fields: Mapping[str, Sequence[float]]) -> "Scaler":
        """The scaler that `as_json` wrote."""
        return cls(np.array(fields["mean"]), np.array(fields["deviation"]))

    def as_json(self) -> dict[str, list[float]]:
        """Plain values."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    def apply(self, values: Values) -> NDArray[np.float64]:
        """Values (..., k) in deviations from the mean, within FAR; nulls become 0."""
        scaled = np.clip((values.astype(np.float64) - self.mean) / self.deviation, -FAR, FAR)
        return np.nan_to_num(scaled, nan=0.0)
