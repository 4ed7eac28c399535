"""Meta-model: a ridge regression of what came on what the parts say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from training.forecast import Floats
from training.gate import Gate, Heard, Verdict, gate, judged, shares


@gate("meta")
@dataclass(frozen=True)
class Meta(Gate):
    """ridge: the penalty on weights, in rows of one deviation each."""

    ridge: float = 100.0

    learns: ClassVar[bool] = True

    def fit(self, heard: Heard, came: Floats) -> Mapping[str, Any]:
        """`weights`: one per part, the absolute values' sum 1; below 0 for whom to contradict."""
        said = np.nan_to_num(heard.leans)
        spread = np.sqrt((said**2).mean(axis=0)) if len(said) else np.ones(len(heard.parts))
        scaled = said / np.where(spread > 0, spread, 1.0)
        penalty = self.ridge * np.eye(len(heard.parts))
        found = np.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ came)
        found = found / np.where(spread > 0, spread, 1.0)
        total = np.abs(found).sum()
        equal = np.full(len(found), 1.0 / max(len(found), 1))
        return {"weights": (found / total if total > 0 else equal).tolist()}

    def combine(self, parameters: Mapping[str, Any], heard: Heard) -> Verdict:
        """The regression's sum, mixed with the equally weighted one."""
        own, there = np.array(parameters["weights"]), heard.present
        sizes = shares(np.abs(own), there)
        signed = sizes * np.where(own < 0, -1.0, 1.0)
        equal = shares(np.ones(len(own)), there)
        share = parameters.get("shrinkage", 0.0)
        return judged(share * equal + (1.0 - share) * signed, heard)
