"""Stacking: a small model of its own, learnt from what the members said out of sample."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from training.ensemble import Ensemble, cheapest, ensemble, learned
from training.forecast import Classes, Floats, Head, Value
from training.objective import Objective, Truth

# How strongly weights are held to equal ones, per row: None is for good.
_STRENGTHS = (None, 1.0, 0.1, 0.01, 0.001, 0.0001)
_FLOOR = 1e-12
_LEAST = 200  # rows; fewer teach nothing
_FOLDS, _FIRST, _GAP = 4, 0.4, 0.02
_ROUNDS, _STILL = 30, 1e-12


@dataclass(frozen=True)
class Meta:
    """Scores are the sum of the members' by weights (m,), and intercept (width,)."""

    weights: Floats
    intercept: Floats

    @classmethod
    def equal(cls, members: int, head: Head) -> "Meta":
        """Nobody weighs more than another."""
        return cls(np.full(members, 1 / members), np.zeros(head.width))

    def answers(self, said: Floats, head: Head) -> Floats:
        """What it makes of what members said (m, n, width), (n, width)."""
        scores = np.tensordot(self.weights, _scores(said, head), axes=1) + self.intercept
        if isinstance(head, Value) and head.link == "log":
            return np.asarray(np.exp(scores))
        return head.from_scores(scores) if isinstance(head, Classes) else np.asarray(scores)


@ensemble("stacking", heads=(Classes, Value))
class Stacking(Ensemble):
    """Weights and intercepts on the members' log chances, logarithms or values (Wolpert 1992).

    Of classes a multinomial logistic regression, of values a ridge regression, of those above 0 of
    their logarithms, right on average as the head's moment asks. Both are held to equal weights
    and no intercept, by the strength that did best on the rows after those it was fitted on: with
    nothing to learn they stay equal.
    """

    def fit(self, objective: Objective, said: Floats, truth: Truth) -> Mapping[str, Any]:
        """`weights` (members), `intercept` (columns), `strength`: None where all stays equal."""
        strength = _strength(objective, said, truth) if len(truth) >= _LEAST else None
        found = fitted(objective.head, said, truth, strength)
        return {
            "weights": found.weights.tolist(),
            "intercept": found.intercept.tolist(),
            "strength": strength,
        }

    def combine(self, parameters: Mapping[str, Any], said: Floats, head: Head) -> Floats:
        """What the model makes of them."""
        weights, intercept = (np.array(parameters[name]) for name in ("weights", "intercept"))
        return Meta(weights, intercept).answers(said, head)


def _strength(objective: Objective, said: Floats, truth: Truth) -> float | None:
    # Time-ordered: each part is answered by who was fitted on the rows before, save for the newest
    # of them, whose truths were not known yet.
    n, found = len(truth), []
    edges = np.linspace(_FIRST * n, n, _FOLDS + 1).round().astype(int)
    for strength in _STRENGTHS:
        parts = []
        for start, stop in pairwise(edges):
            until = start - int(_GAP * n)
            meta = fitted(objective.head, said[:, :until], truth[:until], strength)
            parts.append(meta.answers(said[:, start:stop], objective.head))
        found.append(learned(objective, np.concatenate(parts), truth[edges[0] :]))
    return _STRENGTHS[cheapest(np.stack(found))]


def fitted(head: Head, said: Floats, truth: Truth, strength: float | None) -> Meta:
    """Fitted to all rows, held to equal weights by that strength; None: for good."""
    if strength is None:
        return Meta.equal(len(said), head)
    return (_logistic if isinstance(head, Classes) else _ridge)(head, said, truth, strength)


def _scores(said: Floats, head: Head) -> Floats:
    logarithms = isinstance(head, Classes) or (isinstance(head, Value) and head.link == "log")
    return np.asarray(np.log(np.maximum(said, _FLOOR))) if logarithms else said


def _logistic(head: Head, said: Floats, truth: Truth, strength: float) -> Meta:
    # Newton's method: convex, and few parameters.
    members, width = len(said), head.width
    given = np.concatenate(
        [
            np.moveaxis(_scores(said, head), 0, 2),
            np.broadcast_to(np.eye(width), (len(truth), width, width)),
        ],
        axis=2,
    )  # (n, width, members + width)
    came, start = np.eye(width)[truth], np.append(np.full(members, 1 / members), np.zeros(width))

    def loss(at: Floats) -> float:
        told = np.maximum((head.from_scores(given @ at) * came).sum(axis=1), _FLOOR)
        return float(-np.log(told).mean() + strength / 2 * ((at - start) ** 2).sum())

    at = start
    for _ in range(_ROUNDS):
        chances = head.from_scores(given @ at)
        slope = np.einsum("nk,nkd->d", chances - came, given) / len(truth)
        slope += strength * (at - start)
        mean = np.einsum("nk,nkd->nd", chances, given)
        bend = np.einsum("nk,nkd,nke->de", chances, given, given, optimize=True) - mean.T @ mean
        step = np.linalg.solve(bend / len(truth) + strength * np.eye(len(at)), slope)
        while np.abs(step).max() > _STILL and loss(at - step) > loss(at) + _STILL:
            step = step / 2
        at = at - step
        if np.abs(step).max() < _STILL:
            break
    return Meta(at[:members], at[members:])


def _ridge(head: Head, said: Floats, truth: Truth, strength: float) -> Meta:
    members = len(said)
    given = _scores(said, head)[:, :, 0]
    wanted = _scores(np.asarray(truth, dtype=np.float64), head)
    centre = given.mean(axis=1, keepdims=True)
    apart = given - centre
    equal = np.full(members, 1 / members)
    hold = strength * float(apart.var(axis=1).mean() or 1.0) * np.eye(members)
    left = (wanted - wanted.mean()) - equal @ apart
    weights = equal + np.linalg.solve(
        apart @ apart.T / len(truth) + hold, apart @ left / len(truth)
    )
    found = Meta(weights, np.array([wanted.mean() - float(weights @ centre[:, 0])]))
    if not (isinstance(head, Value) and head.link == "log"):
        return found
    # The mean of a logarithm is not the logarithm of a mean (Duan 1983).
    ratios = np.exp(head.moment * (wanted - np.log(found.answers(said, head)[:, 0])))
    return Meta(weights, found.intercept + np.log(ratios.mean()) / head.moment)
