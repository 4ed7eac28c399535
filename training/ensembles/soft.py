"""Soft vote: the mean of the members' probabilities."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.ensemble import Ensemble, ensemble
from training.forecast import Floats, Labels


@ensemble("soft")
class Soft(Ensemble):
    """Nothing to fit."""

    def fit(self, chances: Floats, labels: Labels) -> Mapping[str, Any]:  # noqa: ARG002
        """No parameters."""
        return {}

    def combine(self, parameters: Mapping[str, Any], chances: Floats) -> Floats:  # noqa: ARG002
        """The mean over members."""
        return np.asarray(chances.mean(axis=0))
