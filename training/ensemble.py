"""What an ensemble is: one forecast from the forecasts of several experts. Light: numpy only."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from contracts.registry import Registry
from training.forecast import Floats, Head
from training.objective import Objective, Truth


class Ensemble(ABC):
    """One way of combining forecasts of one target; members are classes under `@ensemble`.

    It sees nothing but forecasts made out of sample, so it cannot prefer an expert for having
    learnt its training rows by heart. `said` are their values (members, n, columns). heads: the
    forms of answers that it can combine.
    """

    name: ClassVar[str]
    heads: ClassVar[tuple[type[Head], ...]]

    @abstractmethod
    def fit(self, objective: Objective, said: Floats, truth: Truth) -> Mapping[str, Any]:
        """Parameters, as plain JSON values, from forecasts and what came of them (n may be 0)."""

    @abstractmethod
    def combine(self, parameters: Mapping[str, Any], said: Floats) -> Floats:
        """Values (n, columns)."""


ENSEMBLES: Registry[type[Ensemble]] = Registry("ensemble", "training.ensembles")

Member = TypeVar("Member", bound=type[Ensemble])


def ensemble(name: str, heads: tuple[type[Head], ...]) -> Callable[[Member], Member]:
    """Declare a class as the ensemble `name` of answers of those forms."""

    def declare(member: Member) -> Member:
        member.name, member.heads = name, heads
        ENSEMBLES.add(name, member)
        return member

    return declare
