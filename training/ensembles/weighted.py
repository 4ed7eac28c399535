"""Weighted vote: the mixture of the members that best foretold what had not been seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.ensemble import Ensemble, ensemble
from training.forecast import Classes, Floats
from training.objective import Objective, Truth

_ROUNDS = 200
_FLOOR = 1e-12


@ensemble("weighted", heads=(Classes,))
class Weighted(Ensemble):
    """Weights that make the mixture's out-of-sample log loss smallest; equal without any row.

    Found by expectation maximisation for mixture proportions (Dempster, Laird and Rubin 1977):
    the loss is convex in the weights, and each round makes it smaller.
    """

    def fit(self, _objective: Objective, said: Floats, truth: Truth) -> Mapping[str, Any]:
        """`weights`: one per member, not negative, their sum 1."""
        weights = np.full(len(said), 1 / len(said))
        came = np.maximum(said[:, np.arange(len(truth)), truth], _FLOOR)
        for _ in range(_ROUNDS if len(truth) else 0):
            share = weights[:, None] * came
            weights = (share / share.sum(axis=0)).mean(axis=1)
        return {"weights": weights.tolist()}

    def combine(self, parameters: Mapping[str, Any], said: Floats) -> Floats:
        """The weighted mean over members."""
        return np.asarray(np.tensordot(parameters["weights"], said, axes=1))
