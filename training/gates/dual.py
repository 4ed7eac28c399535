"""Dual confirmation: two forecasters of classes must name the same way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.forecast import Classes, Floats
from training.gate import Gate, Heard, Verdict, gate
from training.part import GateError

DOWN, NEUTRAL, UP = range(3)

# What two classes say together, the first one's before the second one's: all nine pairs.
TABLE: Mapping[tuple[int, int], float] = {
    (DOWN, DOWN): -1.0,
    (DOWN, NEUTRAL): 0.0,
    (DOWN, UP): 0.0,
    (NEUTRAL, DOWN): 0.0,
    (NEUTRAL, NEUTRAL): 0.0,
    (NEUTRAL, UP): 0.0,
    (UP, DOWN): 0.0,
    (UP, NEUTRAL): 0.0,
    (UP, UP): 1.0,
}
# By how many of the two are sure of what they say.
CONFIDENCE = (0.0, 0.5, 1.0)
_WORDS = ("down", "neutral", "up")


@gate("dual")
@dataclass(frozen=True)
class Dual(Gate):
    """sure: the chance that a forecaster must give to its class to count as sure of it."""

    sure: float = 0.5

    def fit(self, heard: Heard, came: Floats) -> Mapping[str, Any]:  # noqa: ARG002
        """Nothing; raises GateError unless two of the parts answer by three classes."""
        if len(_two(heard)) != 2:
            told = ", ".join(f"{part.name} ({part.objective})" for part in heard.parts)
            raise GateError(f"expected two parts of three classes to confirm each other: {told}")
        return {}

    def combine(self, parameters: Mapping[str, Any], heard: Heard) -> Verdict:  # noqa: ARG002
        """TABLE times CONFIDENCE; where one says nothing, nothing is confirmed: abstain.

        Other parts have no say; a volatility still makes positions smaller.
        """
        two = _two(heard)
        both = np.asarray(heard.present[:, two].all(axis=1))
        chances = np.nan_to_num(np.stack([heard.answers[i] for i in two], axis=1))
        named, sure = chances.argmax(axis=2), chances.max(axis=2) >= self.sure
        table = np.array([[TABLE[a, b] for b in range(3)] for a in range(3)])
        strength = np.array(CONFIDENCE)[sure.sum(axis=1)]
        found = np.where(both, table[named[:, 0], named[:, 1]] * strength, 0.0)
        weights = np.zeros(heard.present.shape)
        weights[:, two] = np.where(both[:, None], 0.5, 0.0)
        names = [heard.parts[i].name for i in two]
        told = zip(both.tolist(), named.tolist(), strength.tolist(), strict=True)
        reasons = [_reason(names, *row) for row in told]
        return Verdict(found, weights, ~both, reasons)


def _two(heard: Heard) -> list[int]:
    return [i for i, part in enumerate(heard.parts) if part.head == Classes(3)]


def _reason(names: list[str], both: bool, named: list[int], strength: float) -> str:
    if not both:
        return "one of the two says nothing: nothing is confirmed"
    first, second = (f"{n} says {_WORDS[k]}" for n, k in zip(names, named, strict=True))
    if named[0] != named[1]:
        return f"{first}, {second}"
    return "" if strength or named[0] == NEUTRAL else "both say the same, neither is sure"
