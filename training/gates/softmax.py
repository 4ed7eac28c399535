"""Softmax of the market's state: whom to listen to now."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from training.forecast import Floats
from training.gate import Flags, Gate, Heard, Verdict, entropy, gate, judged, shares

# Keeps coefficients finite where a part is always right; far below what any gain is worth.
_RIDGE = 1e-4


@gate("softmax")
class Softmax(Gate):
    """Weights that are the softmax of sums over the state, mixed with equal ones.

    Jacobs, Jordan, Nowlan and Hinton (1991), "Adaptive mixtures of local experts"; estimated
    weights seldom beat equal ones (Claeskens, Magnus, Vasnev, Wang 2016), so they are shrunk.
    """

    learns: ClassVar[bool] = True

    def fit(self, heard: Heard, came: Floats) -> Mapping[str, Any]:
        """`coefficients` (parts, 1 + k) of the sums with which the weighted score goes best with
        what came, by its correlation about 0; `entropy`: the mean of its weights, in nats."""
        from scipy.optimize import minimize

        told = np.flatnonzero(heard.present.any(axis=1))
        known = heard.take(told)
        shape = (len(heard.parts), 1 + heard.state.shape[1])
        found = np.zeros(shape[0] * shape[1])
        if len(told):
            found = minimize(loss_of(known, came[told]), found, jac=True, method="L-BFGS-B").x
        weights = _softmax(_design(known.state) @ found.reshape(shape).T, known.present)
        mean = float(entropy(weights).mean()) if len(told) else 0.0
        return {"coefficients": found.reshape(shape).tolist(), "entropy": mean}

    def combine(self, parameters: Mapping[str, Any], heard: Heard) -> Verdict:
        """The weighted score; a missing part's weight goes to the others as the softmax has it."""
        coefficients = np.array(parameters["coefficients"]).reshape(len(heard.parts), -1)
        own = _softmax(_design(heard.state) @ coefficients.T, heard.present)
        equal = shares(np.ones(len(heard.parts)), heard.present)
        share = parameters.get("shrinkage", 0.0)
        return judged(share * equal + (1.0 - share) * own, heard)


def loss_of(heard: Heard, came: Floats) -> Callable[[Floats], tuple[float, Floats]]:
    """What is made small: from flat coefficients to the loss and its slopes."""
    design, present, said = _design(heard.state), heard.present, np.nan_to_num(heard.leans)

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = _softmax(design @ flat.reshape(len(heard.parts), -1).T, present)
        mixed = (weights * said).sum(axis=1)
        value, slopes = _apart(mixed, came)
        raised = weights * (said - mixed[:, None])
        gradient = (slopes[:, None] * raised).T @ design
        return value + _RIDGE * float(flat @ flat), gradient.ravel() + 2 * _RIDGE * flat

    return loss


def _design(state: Floats) -> Floats:
    return np.column_stack([np.ones(len(state)), state])


def _softmax(sums: Floats, present: Flags) -> Floats:
    there = np.where(present, sums, -np.inf)
    raised = np.exp(there - np.maximum(there.max(axis=1, keepdims=True, initial=-1e300), -1e300))
    total = raised.sum(axis=1, keepdims=True)
    return np.asarray(raised / np.where(total > 0, total, 1.0))


def _apart(scores: Floats, truth: Floats) -> tuple[float, Floats]:
    # One less the square of the correlation about 0, which is below 0 where that is; its slopes.
    size, whole = float(np.sqrt(scores @ scores)), float(np.sqrt(truth @ truth))
    if not size or not whole:
        return 1.0, np.zeros(len(scores))
    found = float(truth @ scores) / (size * whole)
    slopes = truth / (size * whole) - found * scores / size**2
    return 1.0 - found * abs(found), -2.0 * abs(found) * slopes
