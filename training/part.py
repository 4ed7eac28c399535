"""What a part is: somebody whose answers a gate hears, and which way they lean. Light: numpy only.

Its answers stand among the inputs of the gate as columns `part.column`.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from contracts.expected import Expected
from training.forecast import Classes, Floats, Head, Position, Quantiles, Value
from training.objective import OBJECTIVES

# Between the name of a part and that of a column of its answers; no feature's name has one.
SEPARATOR = "."


class GateError(Expected, ValueError):
    """Parts that a gate cannot join; the message says what was expected and found."""


@dataclass(frozen=True)
class Part:
    """Somebody who is heard: a name, the objective by which it answers, and where among the inputs
    its answers stand. usual: the volatility, or width of an interval, that it told in training."""

    name: str
    objective: str
    places: tuple[int, ...]
    usual: float = 1.0

    @property
    def head(self) -> Head:
        """The form of its answers."""
        return OBJECTIVES.get(self.objective).head

    def named(self, answer: Floats) -> dict[str, float]:
        """One answer (width,) by column."""
        return dict(zip(OBJECTIVES.get(self.objective).columns, answer.tolist(), strict=True))

    def leans(self, answers: Floats) -> Floats:
        """Which way its answers (n, width) lean, (n,); null where they are."""
        own = OBJECTIVES.get(self.objective).leans(answers)
        return leans(self.head, answers, self.usual) if own is None else np.clip(own, -1.0, 1.0)

    def answers(self, inputs: NDArray[np.floating]) -> Floats:
        """Its answers (n, width) among inputs (n, k); a row that is not whole is null."""
        found = inputs[:, list(self.places)].astype(np.float64)
        whole = np.asarray(np.isfinite(found).all(axis=1))
        if isinstance(self.head, Value) and self.head.link == "log":
            whole &= found[:, 0] > 0
        return np.where(whole[:, None], found, np.nan)

    def learnt(self, inputs: NDArray[np.floating]) -> "Part":
        """With what is usual in those inputs."""
        found = sizes(self.head, self.answers(inputs))
        known = found[np.isfinite(found) & (found > 0)]
        return replace(self, usual=float(np.median(known)) if len(known) else 1.0)


def parts_of(features: tuple[str, ...]) -> tuple[Part, ...]:
    """The parts whose answers are among the features; raises GateError for columns of nobody."""
    places: dict[str, list[int]] = {}
    for place, feature in enumerate(features):
        if SEPARATOR in feature:
            places.setdefault(feature.partition(SEPARATOR)[0], []).append(place)
    return tuple(
        Part(
            name, _objective(name, tuple(features[i].partition(SEPARATOR)[2] for i in own)), (*own,)
        )
        for name, own in places.items()
    )


def _objective(part: str, columns: tuple[str, ...]) -> str:
    for one in OBJECTIVES:
        if one.columns == columns:
            return one.name
    raise GateError(f"expected {part} to answer as an objective does, found {', '.join(columns)}")


def leans(head: Head, values: Floats, usual: float = 1.0) -> Floats:
    """Which way answers (n, width) lean, (n,): from -1, to sell, to 1, to buy.

    The chance of the highest of two or three classes less that of the lowest; of quantiles the
    chance of a gain less that of a loss; of a volatility how far it lies below the usual one: risk
    that is higher is not paid for (Moreira and Muir 2017, "Volatility-managed portfolios").
    """
    if isinstance(head, Classes) and head.count <= 3:
        found = values[:, -1] - values[:, 0]
    elif isinstance(head, Quantiles):
        found = 1.0 - 2.0 * _below_zero(np.array(head.levels), values)
    elif isinstance(head, Position):
        found = values[:, 0]
    elif isinstance(head, Value):
        log = head.link == "log"
        found = np.tanh(np.log(usual / values[:, 0]) if log else values[:, 0] / usual)
    else:
        raise GateError(
            f"expected answers of a form that leans, found {head}: let the objective say which way "
            "(Objective.leans)"
        )
    return np.asarray(np.clip(found, -1.0, 1.0))


def _below_zero(levels: Floats, values: Floats) -> Floats:
    # Between two quantiles the chance rises evenly; beyond the outermost it is theirs.
    row, count = np.arange(len(values)), (values <= 0).sum(axis=1)
    upper = np.clip(count, 1, len(levels) - 1)
    low, high = values[row, upper - 1], values[row, upper]
    share = np.clip(-low / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    within = levels[upper - 1] + share * (levels[upper] - levels[upper - 1])
    found = np.where(count == 0, levels[0], np.where(count == len(levels), levels[-1], within))
    return np.where(np.isfinite(values).all(axis=1), found, np.nan)


def sizes(head: Head, values: Floats) -> Floats:
    """What makes a position smaller, (n,): a volatility, or an interval's width; else null."""
    if isinstance(head, Quantiles):
        return np.asarray(values[:, -1] - values[:, 0])
    known = isinstance(head, Value) and head.link == "log"
    return np.abs(values[:, 0]) if known else np.full(len(values), np.nan)
