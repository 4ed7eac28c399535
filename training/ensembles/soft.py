"""Soft vote: the mean of what the members say."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.ensemble import Ensemble, ensemble
from training.forecast import Classes, Floats, Head, Position, Quantiles, Tails, Value
from training.objective import Objective, Truth


@ensemble("soft", heads=(Classes, Value, Quantiles, Position, Tails))
class Soft(Ensemble):
    """Nothing to fit: the mixture of chances, the mean of all else, of each quantile its own."""

    def fit(self, _objective: Objective, _said: Floats, _truth: Truth) -> Mapping[str, Any]:
        """No parameters."""
        return {}

    def combine(self, parameters: Mapping[str, Any], said: Floats, head: Head) -> Floats:  # noqa: ARG002
        """The mean over members."""
        return np.asarray(said.mean(axis=0))
