"""What an ensemble is: one forecast from the forecasts of several experts. Light: numpy only."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from contracts.registry import Registry
from training.forecast import Floats, Labels


class Ensemble(ABC):
    """One way of combining forecasts of one objective; members are classes under `@ensemble`.

    It sees nothing but forecasts made out of sample, so it cannot prefer an expert for having
    learnt its training rows by heart. `chances` are probabilities (members, n, 3).
    """

    name: ClassVar[str]

    @abstractmethod
    def fit(self, chances: Floats, labels: Labels) -> Mapping[str, Any]:
        """Parameters, as plain JSON values, from forecasts and what came of them (n may be 0)."""

    @abstractmethod
    def combine(self, parameters: Mapping[str, Any], chances: Floats) -> Floats:
        """Probabilities (n, 3)."""


ENSEMBLES: Registry[type[Ensemble]] = Registry("ensemble", "training.ensembles")

Member = TypeVar("Member", bound=type[Ensemble])


def ensemble(name: str) -> Callable[[Member], Member]:
    """Declare a class as the ensemble `name`."""

    def declare(member: Member) -> Member:
        member.name = name
        ENSEMBLES.add(name, member)
        return member

    return declare
