"""What a gate is: from what several parts say of a decision to one score of it. Light: numpy only.

    @gate("softmax")
    class Softmax(Gate): ...

A part answers for a target of its own, in a form of its own. Which way its answers lean is what a
gate weighs; how much is then held follows from the score, the forecast volatility and the width of
the interval, alike for every gate (`Sizing`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from contracts.registry import Registry
from training.forecast import Floats, Head, Quantiles, Value
from training.part import GateError, Part, sizes

Flags: TypeAlias = NDArray[np.bool_]

NOBODY = "no part says which way"
# Calm beyond this makes nobody bolder.
CALMEST = 0.1


@dataclass(frozen=True)
class Heard:
    """What a gate hears of n decisions.

    answers: of each part, (n, width), null where it says nothing. state: of the market, (n, k), in
    deviations from the usual, 0 where it is not known.
    """

    parts: tuple[Part, ...]
    answers: tuple[Floats, ...]
    state: Floats

    @classmethod
    def of(
        cls, parts: tuple[Part, ...], inputs: NDArray[np.floating], state: Floats | None = None
    ) -> "Heard":
        """What parts say among inputs (n, k)."""
        said = tuple(part.answers(inputs) for part in parts)
        return cls(parts, said, np.zeros((len(inputs), 0)) if state is None else state)

    def __len__(self) -> int:
        return len(self.state)

    def take(self, rows: NDArray[np.intp]) -> "Heard":
        """Those decisions."""
        return Heard(self.parts, tuple(a[rows] for a in self.answers), self.state[rows])

    @cached_property
    def leans(self) -> Floats:
        """(n, parts), null where a part says nothing."""
        found = [p.leans(a) for p, a in zip(self.parts, self.answers, strict=True)]
        return np.stack(found, axis=1) if found else np.zeros((len(self), 0))

    @property
    def present(self) -> Flags:
        """Whether a part says something, (n, parts)."""
        return np.isfinite(self.leans)

    def times_usual(self, head: type[Head]) -> Floats:
        """How many times the usual size that parts of that head tell, (n,), 1 where none does."""
        found = np.ones(len(self))
        for part, said in zip(self.parts, self.answers, strict=True):
            if isinstance(part.head, head):
                ratio = sizes(part.head, said) / part.usual
                found *= np.where(np.isfinite(ratio), np.maximum(ratio, CALMEST), 1.0)
        return found

    @cached_property
    def calm(self) -> Floats:
        """By how much positions grow, (n,): one over volatility and width, in times the usual."""
        return np.asarray(1.0 / (self.times_usual(Value) * self.times_usual(Quantiles)))


def shares(weights: Floats, present: Flags) -> Floats:
    """Weights (parts,) or (n, parts) among the parts that are there, in each row their sum 1.

    A row without any has none.
    """
    own = np.where(present, weights, 0.0)
    total = own.sum(axis=1, keepdims=True)
    # Where nobody who is there has a weight, all who are there weigh alike.
    own = np.where(total > 0, own, present.astype(np.float64))
    return np.asarray(own / np.maximum(own.sum(axis=1, keepdims=True), 1e-300))


def score(weights: Floats, said: Floats) -> Floats:
    """The weighted score of leans (..., parts), nulls counting nothing: the sum of the products."""
    return np.asarray((weights * np.nan_to_num(said)).sum(axis=-1))


def normalised(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights brought to a sum of 1."""
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def require_whole(weights: Mapping[str, float]) -> None:
    """Raise GateError unless weights are not negative and their sum is 1."""
    total = sum(weights.values())
    if abs(total - 1) > 1e-6 or min(weights.values(), default=0.0) < 0:
        told = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
        raise GateError(
            f"expected weights of parts that are not negative and sum to 1, found {told}, in all "
            f"{total:g}: divide each by the sum (training.gate.normalised)"
        )


def entropy(weights: Floats) -> Floats:
    """Of weights (n, parts) in nats, (n,): 0 where one part has all, log(parts) where they weigh
    alike."""
    return np.asarray(-(weights * np.log(np.where(weights > 0, weights, 1.0))).sum(axis=1))


@dataclass(frozen=True)
class Verdict:
    """What a gate makes of n decisions.

    score: (n,), from -1 to 1. weights: (n, parts), those of each part in it. abstains: (n,).
    reasons: why it abstains or holds, by row; empty where the score says it.
    """

    score: Floats
    weights: Floats
    abstains: Flags
    reasons: list[str]


def judged(weights: Floats, heard: Heard) -> Verdict:
    """The verdict of weights (n, parts): the weighted score; who hears nobody abstains."""
    nobody = np.asarray(~heard.present.any(axis=1))
    told = [NOBODY if none else "" for none in nobody.tolist()]
    return Verdict(score(weights, heard.leans), weights, nobody, told)


class Gate(ABC):
    """One way of joining parts; members are classes under `@gate`, their fields are terms.

    It sees nothing of the parts but forecasts made out of sample. learns: whether anything is
    learnt, which is then shrunk to equal weights: `parameters["shrinkage"]` is the share of those.
    """

    name: ClassVar[str]
    learns: ClassVar[bool] = False

    @abstractmethod
    def fit(self, heard: Heard, came: Floats) -> Mapping[str, Any]:
        """Parameters, as plain JSON values, from what was heard and what came of it (n,): returns
        in units of the usual risk; n may be 0. Raises GateError for parts that it cannot join."""

    @abstractmethod
    def combine(self, parameters: Mapping[str, Any], heard: Heard) -> Verdict:
        """The verdict on each decision; a part that is missing weighs nothing."""


GATES: Registry[type[Gate]] = Registry("gate", "training.gates")

Member = TypeVar("Member", bound=type[Gate])


def gate(name: str) -> Callable[[Member], Member]:
    """Declare a class as the gate `name`."""

    def declare(member: Member) -> Member:
        member.name = name
        GATES.add(name, member)
        return member

    return declare


@dataclass(frozen=True)
class Sizing:
    """How much is held: `boldness` for each unit of score beyond `threshold`, times calm; at most
    the whole. Of no boldness nothing is held."""

    boldness: float
    threshold: float = 0.0

    def positions(self, scores: Floats, calm: Floats, abstains: Flags) -> Floats:
        """(n,) from -1 to 1; 0 within the threshold and on abstention."""
        beyond = np.maximum(np.abs(scores) - self.threshold, 0.0)
        held = np.sign(scores) * np.minimum(self.boldness * beyond * calm, 1.0)
        return np.where(abstains, 0.0, held)
