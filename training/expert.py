"""What an expert is: hyperparameters as fields, and how a model of a head is fitted."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from contracts.registry import Registry
from training.bundle.model import Model
from training.forecast import Floats, Head
from training.samples.samples import Samples


@dataclass(frozen=True)
class Span:
    """The values that a hyperparameter is searched over, both ends included."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def draw(self, random: np.random.Generator) -> float | int:
        """One value, uniform on the span or on its logarithm."""
        if self.whole:
            return int(random.integers(int(self.low), int(self.high), endpoint=True))
        if self.log:
            return float(np.exp(random.uniform(np.log(self.low), np.log(self.high))))
        return float(random.uniform(self.low, self.high))


Fitted = TypeVar("Fitted", bound=Model)


class Expert(ABC, Generic[Fitted]):
    """One way of learning; members are frozen dataclasses under `@expert`.

    heads: the forms of answers that it can learn. What a fitted model answers, its files answer too
    once read back. threads: whether several may be fitted side by side in one process; a fit itself
    keeps to one core. window: rows up to a decision that it looks at; a member that looks back
    makes it a field.
    """

    name: ClassVar[str]
    heads: ClassVar[tuple[type[Head], ...]]
    libraries: ClassVar[tuple[str, ...]]
    threads: ClassVar[bool] = False
    window: int = 1

    @abstractmethod
    def fit(self, samples: Samples, head: Head) -> Fitted:
        """A model of that head, learnt from the samples and nothing else; raises TrainingError."""

    def forecast(self, fitted: Fitted, samples: Samples) -> Floats:
        """What the model says of the samples, (n, width of the head)."""
        return samples.answers(self.window, fitted.forecast)

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """What tuning may vary; empty when there is nothing to tune."""
        return {}

    def hyperparameters(self) -> dict[str, Any]:
        """The fields' values."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]


EXPERTS: Registry[type[Expert[Any]]] = Registry("expert", "training.experts")

Member = TypeVar("Member", bound=type[Expert[Any]])


def expert(
    name: str, heads: tuple[type[Head], ...], libraries: tuple[str, ...]
) -> Callable[[Member], Member]:
    """Declare a dataclass as the expert `name`; `libraries` are those whose versions matter."""

    def declare(member: Member) -> Member:
        member.name, member.heads, member.libraries = name, heads, libraries
        EXPERTS.add(name, member)
        return member

    return declare
