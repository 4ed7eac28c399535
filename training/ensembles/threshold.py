"""Threshold vote: the mean of the members, and no signal where it is not sure enough."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from training.ensemble import Ensemble, ensemble
from training.forecast import Classes, Floats, Head
from training.objective import ABSTAIN, Objective, Truth


@ensemble("threshold", heads=(Classes,))
class Threshold(Ensemble):
    """What it says is the mean's; its signals abstain on the less sure share of rows.

    coverage: the share of rows that it answers with a signal, out of sample. Reject what is less
    sure than a threshold: Chow (1970), "On optimum recognition error and reject tradeoff". A recipe
    that knows better states the threshold `abstain` itself.
    """

    coverage: ClassVar[float] = 0.5

    def fit(self, _objective: Objective, _said: Floats, _truth: Truth) -> Mapping[str, Any]:
        """No parameters."""
        return {}

    def combine(self, parameters: Mapping[str, Any], said: Floats, head: Head) -> Floats:  # noqa: ARG002
        """The mean over members."""
        return np.asarray(said.mean(axis=0))

    def thresholds(self, head: Head, served: Floats) -> Mapping[str, float]:
        """`abstain`: the chance of the most probable class below which there is no signal."""
        sure = head.confidence(served)
        if sure is None or not len(sure):
            return {}
        return {ABSTAIN: float(np.quantile(sure, 1 - self.coverage))}
