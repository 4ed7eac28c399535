"""What an expert is: hyperparameters as fields, and four verbs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from contracts.registry import Registry
from training.forecast import Floats, Forecasts, Values
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


Fitted = TypeVar("Fitted")


class Expert(ABC, Generic[Fitted]):
    """One kind of model for one objective; members are frozen dataclasses under `@expert`.

    What `predict` answers, the exported files answer too once read back. threads: whether several
    may be fitted side by side in one process; a fit itself keeps to one core. window: rows up to a
    decision that it looks at; a member that looks back makes it a field.
    """

    name: ClassVar[str]
    objective: ClassVar[str]
    libraries: ClassVar[tuple[str, ...]]
    threads: ClassVar[bool] = False
    window: int = 1

    @abstractmethod
    def fit(self, samples: Samples) -> Fitted:
        """Learn from the samples, and from nothing else; raises TrainingError."""

    @abstractmethod
    def predict(self, fitted: Fitted, values: Values) -> Forecasts:
        """Forecasts for float32 values (n, window, k) in the order of the samples' features."""

    @abstractmethod
    def export(self, fitted: Fitted) -> Mapping[str, bytes]:
        """The fitted model as files that `training.bundle.models.read` understands."""

    def forecast(self, fitted: Fitted, samples: Samples) -> Forecasts:
        """Forecasts of the samples."""

        def model(values: Values) -> Floats:
            return self.predict(fitted, values).probabilities

        return Forecasts(samples.answers(self.window, model))

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """What tuning may vary; empty when there is nothing to tune."""
        return {}

    def hyperparameters(self) -> dict[str, Any]:
        """The fields' values."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]


EXPERTS: Registry[type[Expert[Any]]] = Registry("expert", "training.experts")

Member = TypeVar("Member", bound=type[Expert[Any]])


def expert(name: str, objective: str, libraries: tuple[str, ...]) -> Callable[[Member], Member]:
    """Declare a dataclass as the expert `name`; `libraries` are those whose versions matter."""

    def declare(member: Member) -> Member:
        member.name, member.objective, member.libraries = name, objective, libraries
        EXPERTS.add(name, member)
        return member

    return declare
