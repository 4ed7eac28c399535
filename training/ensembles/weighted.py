"""Weighted vote: the mixture of the members that best foretold what had not been seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.ensemble import Ensemble, ensemble
from training.forecast import Floats, Labels

_ROUNDS = 200
_FLOOR = 1e-12


@ensemble("weighted")
class Weighted(Ensemble):
    """Weights that make the mixture's out-of-sample log loss smallest; equal without any row.

    Found by expectation maximisation for mixture proportions (Dempster, Laird and Rubin 1977):
    the loss is convex in the weights, and each round makes it smaller.
    """

    def fit(self, chances: Floats, labels: Labels) -> Mapping[str, Any]:
        """`weights`: one per member, not negative, their sum 1."""
        weights = np.full(len(chances), 1 / len(chances))
        said = np.maximum(chances[:, np.arange(len(labels)), labels], _FLOOR)
        for _ in range(_ROUNDS if len(labels) else 0):
            share = weights[:, None] * said
            weights = (share / share.sum(axis=0)).mean(axis=1)
        return {"weights": weights.tolist()}

    def combine(self, parameters: Mapping[str, Any], chances: Floats) -> Floats:
        """The weighted mean over members."""
        return np.asarray(np.tensordot(parameters["weights"], chances, axes=1))
