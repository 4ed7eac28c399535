"""What an ensemble is: one forecast from the forecasts of several experts. Light: numpy only."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from contracts.registry import Registry
from training.forecast import Floats, Head
from training.objective import Forecasts, Objective, Truth

_BLOCKS = 40  # of rows, of which one is taken to depend little on the next


class Ensemble(ABC):
    """One way of combining forecasts of one target; members are classes under `@ensemble`.

    It sees nothing but forecasts made out of sample, so it cannot prefer an expert for having
    learnt its training rows by heart. `said` are their values (members, n, columns), rows in the
    order of time. heads: the forms of answers that it can combine.
    """

    name: ClassVar[str]
    heads: ClassVar[tuple[type[Head], ...]]

    @abstractmethod
    def fit(self, objective: Objective, said: Floats, truth: Truth) -> Mapping[str, Any]:
        """Parameters, as plain JSON values, from forecasts and what came of them (n may be 0)."""

    @abstractmethod
    def combine(self, parameters: Mapping[str, Any], said: Floats, head: Head) -> Floats:
        """Values (n, columns), of the head that the members answer by."""

    def thresholds(self, head: Head, served: Floats) -> Mapping[str, float]:  # noqa: ARG002
        """Those of its signals, unless a recipe states others.

        served: what it said out of sample (n, columns), calibrated as it is served.
        """
        return {}


def learned(objective: Objective, values: Floats, truth: Truth) -> Floats:
    """The loss that the objective's experts make small, of each row, null where it counts not."""
    found = objective.losses(Forecasts(objective, values), truth)
    return found.get(objective.learned, found[objective.judged[0].name])


def cheapest(losses: Floats) -> int:
    """Which of k choices (k, n) to take, the plainest first, rows in the order of time.

    The plainest of those whose mean loss is no more than one standard error above the smallest one:
    Breiman, Friedman, Olshen and Stone (1984), here over blocks of rows.
    """
    counted = losses[:, np.isfinite(losses).all(axis=0)]
    if counted.shape[1] < 2:
        return 0
    blocks = np.array_split(counted, min(_BLOCKS, counted.shape[1]), axis=1)
    means = np.stack([block.mean(axis=1) for block in blocks], axis=1)
    worse = means - means[int(counted.mean(axis=1).argmin())]
    error = worse.std(axis=1, ddof=1) / np.sqrt(worse.shape[1])
    return int(np.flatnonzero(worse.mean(axis=1) <= error)[0])


ENSEMBLES: Registry[type[Ensemble]] = Registry("ensemble", "training.ensembles")

Member = TypeVar("Member", bound=type[Ensemble])


def ensemble(name: str, heads: tuple[type[Head], ...]) -> Callable[[Member], Member]:
    """Declare a class as the ensemble `name` of answers of those forms."""

    def declare(member: Member) -> Member:
        member.name, member.heads = name, heads
        ENSEMBLES.add(name, member)
        return member

    return declare
