"""Temperature: chances raised to one power, and brought to a sum of 1 again."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.calibration import LEAST, Calibration, calibration
from training.forecast import Classes, Floats
from training.objective import Truth

_FLOOR = 1e-12
_LOW, _HIGH = 1 / 20, 20.0


@calibration("temperature", heads=(Classes,))
class Temperature(Calibration):
    """The power that makes the log loss smallest: which class is most probable stays as it is.

    Guo, Pleiss, Sun and Weinberger (2017), "On calibration of modern neural networks"; there the
    scores are divided by the temperature, one over the power.
    """

    def fit(self, said: Floats, truth: Truth) -> Mapping[str, Any]:
        """`power`, from a twentieth to twenty."""
        from scipy.optimize import minimize_scalar

        if len(truth) < LEAST:
            return {}
        rows = np.arange(len(truth))

        def loss(power: float) -> float:
            return float(-np.log(np.maximum(_raised(said, power)[rows, truth], _FLOOR)).mean())

        found = minimize_scalar(
            lambda x: loss(float(np.exp(x))),
            bounds=(np.log(_LOW), np.log(_HIGH)),
            method="bounded",
            options={"xatol": 1e-9},
        )
        return {"power": float(np.exp(found.x))}

    def apply(self, parameters: Mapping[str, Any], values: Floats) -> Floats:
        """The chances, raised."""
        return _raised(values, parameters["power"]) if parameters else values


def _raised(values: Floats, power: float) -> Floats:
    return Classes(values.shape[1]).from_scores(power * np.log(np.maximum(values, _FLOOR)))
