"""Weighted vote: the mixture of the members that best foretold what had not been seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.ensemble import Ensemble, ensemble, learned
from training.forecast import Classes, Floats, Head, Quantiles, Value
from training.objective import Objective, Truth

_ROUNDS = 200
_FLOOR = 1e-12
_REACH = 1e-3  # how far towards a member the slope of the loss is looked at
_ENOUGH = 1e-9  # what a round must gain, as a share of the loss


@ensemble("weighted", heads=(Classes, Value, Quantiles))
class Weighted(Ensemble):
    """Weights that make the mixture's out-of-sample loss smallest; equal without any row.

    Of classes the log loss, by expectation maximisation for mixture proportions (Dempster, Laird
    and Rubin 1977): it is convex in the weights, and each round makes it smaller. Of values and
    quantiles the loss that the objective learns by, of the members' weighted mean, by exponentiated
    gradients (Kivinen and Warmuth 1997).
    """

    def fit(self, objective: Objective, said: Floats, truth: Truth) -> Mapping[str, Any]:
        """`weights`: one per member, not negative, their sum 1."""
        if not len(truth):
            return {"weights": [1 / len(said)] * len(said)}
        if isinstance(objective.head, Classes):
            return {"weights": _proportions(said, truth).tolist()}
        return {"weights": _downhill(objective, said, truth).tolist()}

    def combine(self, parameters: Mapping[str, Any], said: Floats, head: Head) -> Floats:
        """The weighted mean over members."""
        return mean(parameters["weights"], said, head)


def mean(weights: Any, said: Floats, head: Head) -> Floats:
    """The mean over members by weights (m,) of what they said, (n, columns)."""
    mixed = np.asarray(np.tensordot(weights, said, axes=1))
    # Equal quantiles may come to differ in their last digit.
    return np.sort(mixed, axis=1) if isinstance(head, Quantiles) else mixed


def _proportions(said: Floats, truth: Truth) -> Floats:
    weights = np.full(len(said), 1 / len(said))
    came = np.maximum(said[:, np.arange(len(truth)), truth], _FLOOR)
    for _ in range(_ROUNDS):
        share = weights[:, None] * came
        weights = (share / share.sum(axis=0)).mean(axis=1)
    return weights


def _downhill(objective: Objective, said: Floats, truth: Truth) -> Floats:
    def loss(values: Floats) -> float:
        return float(np.nanmean(learned(objective, values, truth)))

    # The best first: in whichever order they are told, the same sums are made.
    order = np.argsort([loss(one) for one in said], kind="stable")
    said = said[order]
    weights, step = np.full(len(said), 1 / len(said)), 1.0
    mixed = mean(weights, said, objective.head)
    now = loss(mixed)
    for _ in range(_ROUNDS):
        # Towards a member, never away from it: a mixture is an answer.
        slopes = np.array([loss((1 - _REACH) * mixed + _REACH * one) - now for one in said])
        lean = np.exp(-step * (slopes - slopes.min()) / (_REACH * (abs(now) + _FLOOR)))
        tried = weights * lean / (weights @ lean)
        mixed = mean(tried, said, objective.head)
        found = loss(mixed)
        if found > now:
            mixed, step = mean(weights, said, objective.head), step / 4
            continue
        gained, weights, now, step = now - found, tried, found, 1.5 * step
        if gained < _ENOUGH * abs(now):
            break
    return weights[np.argsort(order)]
