"""Bayesian model averaging: each member weighs what is believed of it after what came."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.ensemble import Ensemble, cheapest, ensemble, learned
from training.ensembles.weighted import mean
from training.forecast import Classes, Floats, Head, Quantiles, Value
from training.objective import Objective, Truth

_BLOCKS = 40
# How much of the evidence is believed: nothing, so that all weigh alike, up to all of it.
_POWERS: tuple[float, ...] = (0.0, *np.geomspace(1e-4, 1.0, 9).tolist())


@ensemble("bma", heads=(Classes, Value, Quantiles))
class BayesianModelAveraging(Ensemble):
    """Weights as the power posterior has them, from equal ones before: exp(-power * sum of losses).

    With log losses and power 1 they are the posterior probabilities that a member is the true model
    (Hoeting, Madigan, Raftery and Volinsky 1999). None is true and rows depend on each other, so
    that all of the evidence says too much: the power is the one that did best one block of time
    ahead (Grunwald 2012, "The safe Bayesian"; of other losses Bissiri, Holmes and Walker 2016), and
    of those that did nearly as well the smallest, so that nothing but noise leaves equal weights.
    """

    def fit(self, objective: Objective, said: Floats, truth: Truth) -> Mapping[str, Any]:
        """`weights`: one per member, their sum 1; `power`: of the evidence."""
        if not len(truth):
            return {"weights": [1 / len(said)] * len(said), "power": 0.0}
        losses = np.stack([np.nan_to_num(learned(objective, one, truth)) for one in said])
        # Chances are told by their log loss; of others the evidence is counted in mean losses.
        unit = 1.0 if isinstance(objective.head, Classes) else float(np.abs(losses).mean()) or 1.0
        evidence = -losses / unit
        power = _power(objective, said, truth, evidence)
        return {"weights": posterior(evidence.sum(axis=1), power).tolist(), "power": power}

    def combine(self, parameters: Mapping[str, Any], said: Floats, head: Head) -> Floats:
        """The mean over members by their weights."""
        return mean(parameters["weights"], said, head)


def posterior(evidence: Floats, power: float) -> Floats:
    """Weights (m,) of members with that log evidence (m,)."""
    raised = np.exp(power * (evidence - evidence.max()))
    return np.asarray(raised / raised.sum())


def _power(objective: Objective, said: Floats, truth: Truth, evidence: Floats) -> float:
    edges = np.linspace(0, len(truth), _BLOCKS + 1).round().astype(int)
    # What is believed of a block's rows rests on those before the block before it: truths that
    # settled meanwhile were not known.
    known = [evidence[:, : edges[max(place - 1, 0)]].sum(axis=1) for place in range(_BLOCKS)]
    parts = list(zip(known, edges[:-1], edges[1:], strict=True))
    found = []
    for power in _POWERS:
        mixed = [
            mean(posterior(before, power), said[:, start:stop], objective.head)
            for before, start, stop in parts
        ]
        found.append(learned(objective, np.concatenate(mixed), truth))
    return _POWERS[cheapest(np.stack(found))]
