"""Weighted score: the leans of the parts, each times its weight."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.forecast import Floats
from training.gate import Gate, Heard, Verdict, gate, judged, require_whole, shares
from training.part import GateError


@gate("weighted")
@dataclass(frozen=True)
class WeightedScore(Gate):
    """weights: part -> its share, their sum 1, else GateError; without any all weigh alike."""

    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.weights:
            require_whole(self.weights)

    def fit(self, heard: Heard, came: Floats) -> Mapping[str, Any]:  # noqa: ARG002
        """`weights`: part -> its share, as they are declared."""
        names = [part.name for part in heard.parts]
        if self.weights and sorted(self.weights) != sorted(names):
            raise GateError(
                f"expected a weight for each of {', '.join(names)}, found {', '.join(self.weights)}"
            )
        equal = {name: 1.0 / len(names) for name in names}
        return {"weights": dict(self.weights) or equal}

    def combine(self, parameters: Mapping[str, Any], heard: Heard) -> Verdict:
        """The weighted score; those who are there share the weight of those who are not."""
        own = np.array([parameters["weights"][part.name] for part in heard.parts])
        return judged(shares(own, heard.present), heard)
