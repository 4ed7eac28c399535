"""Venn-Abers: each class's chance between what it would be if it came next, and if it did not."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.calibration import LEAST, Calibration, calibration
from training.forecast import Classes, Floats
from training.objective import Truth

_DIGITS = 3  # of chances, so that a million rows are a thousand steps


@calibration("venn_abers", heads=(Classes,))
class VennAbers(Calibration):
    """Inductive Venn-Abers predictors of each class against all others, brought to a sum of 1.

    Of two isotonic regressions, one with the asked row as if the class came (p1) and one as if not
    (p0), one is right; p1 / (1 - p0 + p1) is between them what loses least in the worst case. Vovk,
    Petej and Fedorova (2015), "Large-scale probabilistic predictors with and without guarantees of
    validity".
    """

    def fit(self, said: Floats, truth: Truth) -> Mapping[str, Any]:
        """`said`, `without` (p0) and `with` (p1) of each class: steps, one more than `said` has."""
        if len(truth) < LEAST:
            return {}
        found: dict[str, list[list[float]]] = {"said": [], "without": [], "with": []}
        for place, chances in enumerate(np.round(said, _DIGITS).T):
            steps, at, rows = np.unique(chances, return_inverse=True, return_counts=True)
            came = np.asarray(np.bincount(at, truth == place, len(steps)), dtype=np.float64)
            # Above all steps one that came stands alone, and below them one that did not.
            found["said"].append(steps.tolist())
            found["without"].append([0.0, *_with_one_more(came, rows, 0.0)])
            found["with"].append([*_with_one_more(came, rows, 1.0), 1.0])
        return found

    def apply(self, parameters: Mapping[str, Any], values: Floats) -> Floats:
        """The chances between the two."""
        if not parameters:
            return values
        mended = np.empty_like(values)
        for place, chances in enumerate(np.round(values, _DIGITS).T):
            steps, low, high = (np.array(parameters[k][place]) for k in ("said", "without", "with"))
            p0 = low[np.searchsorted(steps, chances, "right")]
            p1 = high[np.searchsorted(steps, chances, "left")]
            mended[:, place] = p1 / (1 - p0 + p1)
        return Classes(values.shape[1]).from_means(mended)


def _with_one_more(came: Floats, rows: NDArray[np.integer], label: float) -> list[float]:
    from sklearn.isotonic import isotonic_regression

    found = []
    for step in range(len(rows)):
        one = np.arange(len(rows)) == step
        weights = rows + one
        line = isotonic_regression((came + label * one) / weights, sample_weight=weights)
        found.append(float(line[step]))
    return found
