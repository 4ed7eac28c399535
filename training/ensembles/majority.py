"""Majority vote: each member names its class, and most votes win."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.ensemble import Ensemble, ensemble
from training.forecast import Classes, Floats, Head
from training.objective import Objective, Truth


@ensemble("majority", heads=(Classes,))
class Majority(Ensemble):
    """The mean of those members who name the class that most of them name.

    Of classes with as many votes the one wins whose mean chance over all members is larger, and of
    those that are equal in this, too, the first. Nothing to fit.
    """

    def fit(self, _objective: Objective, _said: Floats, _truth: Truth) -> Mapping[str, Any]:
        """No parameters."""
        return {}

    def combine(self, parameters: Mapping[str, Any], said: Floats, head: Head) -> Floats:  # noqa: ARG002
        """The winners' mean: its most probable class is the one that won."""
        named = said.argmax(axis=2)
        votes = np.eye(head.width)[named].sum(axis=0)
        # A vote weighs more than any difference of chances.
        won = (2 * votes + said.mean(axis=0)).argmax(axis=1)
        voted = (named == won)[:, :, None]
        return np.asarray((said * voted).sum(axis=0) / voted.sum(axis=0))
