"""Isotonic: each class's chance as often as it came, never less for who was given more."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.calibration import LEAST, Calibration, calibration
from training.forecast import Classes, Floats
from training.objective import Truth


@calibration("isotonic", heads=(Classes,))
class Isotonic(Calibration):
    """Isotonic regression of each class against all others, brought to a sum of 1.

    Zadrozny and Elkan (2002), "Transforming classifier scores into accurate multiclass probability
    estimates". No chance is 0: what n rows never saw may come next, once in n + 2.
    """

    def fit(self, said: Floats, truth: Truth) -> Mapping[str, Any]:
        """`said` and `came` of each class: a line through these points, in the order of `said`."""
        from sklearn.isotonic import IsotonicRegression

        if len(truth) < LEAST:
            return {}
        least = 1 / (len(truth) + 2)
        found: dict[str, list[list[float]]] = {"said": [], "came": []}
        for place, chances in enumerate(said.T):
            line = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
            line.fit(chances, truth == place)
            found["said"].append(line.X_thresholds_.tolist())
            found["came"].append(line.y_thresholds_.tolist())
        return found

    def apply(self, parameters: Mapping[str, Any], values: Floats) -> Floats:
        """The chances on the lines."""
        if not parameters:
            return values
        lines = zip(values.T, parameters["said"], parameters["came"], strict=True)
        mended = np.stack([np.interp(chances, x, y) for chances, x, y in lines], axis=1)
        return Classes(values.shape[1]).from_means(mended)
