"""The forms of an answer: classes, touches, a value, quantiles, tails, a position. Light: numpy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from training.form import Floats, ForecastError, Head, Values, largest, positive, typical

# The nouns beneath are known by this module, too.
__all__ = [
    "LOWER",
    "UPPER",
    "Classes",
    "Floats",
    "ForecastError",
    "Head",
    "Position",
    "Quantiles",
    "Tails",
    "Touches",
    "Value",
    "Values",
    "frequencies",
    "head",
    "positive",
    "typical",
]

LOWER, UPPER = 1, 2

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Classes(Head):
    """Probabilities of `count` classes, in each row their sum 1."""

    kind: ClassVar[str] = "classes"

    count: int = 3

    @property
    def width(self) -> int:
        """One per class."""
        return self.count

    def require(self, values: Floats) -> None:
        """They are not negative, and their sum is 1."""
        self._shaped(values)
        if (values < 0).any() or np.abs(values.sum(axis=1) - 1).max(initial=0) > _TOLERANCE:
            raise ForecastError("expected finite probabilities that sum to 1 in each row")

    def from_scores(self, scores: Floats) -> Floats:
        """The softmax."""
        raised = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)

    def from_means(self, raw: NDArray[np.floating]) -> Floats:
        """Scores that are not negative, brought to a sum of 1."""
        wide = raw.astype(np.float64).reshape(-1, self.count)
        return np.asarray(wide / wide.sum(axis=1, keepdims=True), dtype=np.float64)

    def kept(self, values: Floats) -> Floats:
        """Decimals that were cut off are made up for."""
        return self.from_means(values)

    def point(self, values: Floats) -> Floats:
        """The most probable class."""
        return np.asarray(values.argmax(axis=1), dtype=np.float64)

    def confidence(self, values: Floats) -> Floats:
        """The chance of the most probable class."""
        return np.asarray(values.max(axis=1, initial=0.0))


@dataclass(frozen=True)
class Touches(Classes):
    """Classes of which both of two barriers, one of them or neither are touched.

    A class is the sum of those that are: LOWER, UPPER.
    """

    kind: ClassVar[str] = "touches"

    count: int = 4

    @staticmethod
    def of_each(values: Floats) -> Floats:
        """The chances that the lower, and that the upper barrier is touched, (n, 2)."""
        both = values[:, LOWER | UPPER]
        return np.stack([values[:, LOWER] + both, values[:, UPPER] + both], axis=1)


def frequencies(truth: NDArray[np.integer], head: Head, added: float = 1.0) -> Floats:
    """How often each class of the head came, (width,).

    added: rows that each class has besides, so that an unseen one keeps some probability.
    """
    return np.ravel(head.from_means(np.bincount(truth, minlength=head.width) + added))


@dataclass(frozen=True)
class Value(Head):
    """One number. log: it is positive, and scores are logarithms.

    moment: the mean that is foretold is that of the number's so-manieth power; a volatility is the
    root of a mean variance (2).
    """

    kind: ClassVar[str] = "value"

    link: Literal["identity", "log"] = "identity"
    moment: int = 1

    @property
    def width(self) -> int:
        """One."""
        return 1

    def require(self, values: Floats) -> None:
        """It is finite, and above 0 where the link is a logarithm."""
        self._shaped(values)
        if self.link == "log" and (values <= 0).any():
            raise ForecastError("expected values above 0, found others")

    def from_scores(self, scores: Floats) -> Floats:
        """The inverse of the link: scores tell the mean of the power."""
        return self.from_means(np.exp(scores) if self.link == "log" else scores)

    def from_means(self, raw: NDArray[np.floating]) -> Floats:
        """The root that undoes the power."""
        wide = raw.astype(np.float64).reshape(-1, 1)
        return wide if self.moment == 1 else np.asarray(wide ** (1.0 / self.moment))

    def point(self, values: Floats) -> Floats:
        """The number."""
        return values[:, 0]

    def unit(self, values: Floats) -> float:
        """The largest of them."""
        return largest(values)


@dataclass(frozen=True)
class Quantiles(Head):
    """A number for each of the ascending `levels`, none below the one before."""

    kind: ClassVar[str] = "quantiles"

    levels: tuple[float, ...] = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)

    @property
    def width(self) -> int:
        """One per level."""
        return len(self.levels)

    def require(self, values: Floats) -> None:
        """They are finite and do not cross."""
        self._shaped(values)
        if (np.diff(values, axis=1) < 0).any():
            raise ForecastError("expected quantiles that do not cross, found others")

    def from_scores(self, scores: Floats) -> Floats:
        """In order: crossing quantiles are rearranged (Chernozhukov, Fernandez-Val, Galichon)."""
        return self.from_means(scores)

    def from_means(self, raw: NDArray[np.floating]) -> Floats:
        """In order."""
        return np.sort(raw.astype(np.float64).reshape(-1, self.width), axis=1)

    def point(self, values: Floats) -> Floats:
        """The median, or what lies nearest to it."""
        return values[:, int(np.argmin(np.abs(np.array(self.levels) - 0.5)))]

    def unit(self, values: Floats) -> float:
        """The largest of them."""
        return largest(values)


@dataclass(frozen=True)
class Tails(Head):
    """What is lost at each of the ascending `levels` of confidence, `floor` at least.

    The value at risk of each, a loss exceeded with a chance of 1 - level; then the expected
    shortfall of each, the mean of those that exceed it. None is below the one of the level before,
    no shortfall below its value at risk. Scores are logarithms.
    """

    kind: ClassVar[str] = "tails"

    levels: tuple[float, ...] = (0.95, 0.99)
    floor: float = 1e-4

    @property
    def width(self) -> int:
        """Two per level."""
        return 2 * len(self.levels)

    @property
    def chances(self) -> Floats:
        """Of a loss beyond the value at risk, (levels,)."""
        return np.asarray(1.0 - np.array(self.levels))

    def parts(self, values: Floats) -> tuple[Floats, Floats]:
        """Values at risk and expected shortfalls, (n, levels) each."""
        return values[:, : len(self.levels)], values[:, len(self.levels) :]

    def require(self, values: Floats) -> None:
        """They are finite, not below the floor, and in order."""
        self._shaped(values)
        at_risk, mean = self.parts(values)
        # What is averaged may miss the order by its rounding.
        values, less = values * (1 + _TOLERANCE), (at_risk[:, :-1], mean[:, :-1], at_risk)
        more, most = self.parts(values)
        pairs = zip((more[:, 1:], most[:, 1:], most), less, strict=True)
        if (values < self.floor).any() or any((a < b).any() for a, b in pairs):
            raise ForecastError(f"expected losses of {self.floor} at least in order, found others")

    def from_scores(self, scores: Floats) -> Floats:
        """Their exponentials."""
        return self.from_means(np.exp(scores))

    def from_means(self, raw: NDArray[np.floating]) -> Floats:
        """In order, and not below the floor."""
        wide = np.maximum(raw.astype(np.float64).reshape(-1, self.width), self.floor)
        at_risk, mean = self.parts(wide)
        at_risk = np.maximum.accumulate(at_risk, axis=1)
        mean = np.maximum.accumulate(np.maximum(mean, at_risk), axis=1)
        return np.concatenate([at_risk, mean], axis=1)

    def kept(self, values: Floats) -> Floats:
        """In order."""
        return self.from_means(values)

    def point(self, values: Floats) -> Floats:
        """The value at risk of the first level."""
        return values[:, 0]

    def unit(self, values: Floats) -> float:
        """The largest of them."""
        return largest(values)


@dataclass(frozen=True)
class Position(Head):
    """What is to be done: a score and a position from -1 to 1, and an abstention from 0 to 1.

    The score is what is thought, the position what is held, a share of the largest one; who
    abstains, thinks that nothing is known.
    """

    kind: ClassVar[str] = "position"

    @property
    def width(self) -> int:
        """Score, position, abstention."""
        return 3

    def require(self, values: Floats) -> None:
        """They are finite and within their bounds."""
        self._shaped(values)
        if (np.abs(values) > 1).any() or (values[:, 2] < 0).any():
            raise ForecastError("expected positions from -1 to 1, found others")

    def from_scores(self, scores: Floats) -> Floats:
        """Bounded by the hyperbolic tangent, the abstention by the logistic function."""
        wide = np.tanh(scores.astype(np.float64))
        return np.column_stack([wide[:, :2], (1.0 + np.tanh(scores[:, 2] / 2)) / 2])

    def from_means(self, raw: NDArray[np.floating]) -> Floats:
        """Brought within their bounds."""
        wide = raw.astype(np.float64).reshape(-1, self.width)
        return np.clip(wide, (-1.0, -1.0, 0.0), 1.0)

    def point(self, values: Floats) -> Floats:
        """The position."""
        return values[:, 1]


_HEADS: dict[str, type[Head]] = {
    one.kind: one for one in (Classes, Touches, Value, Quantiles, Position, Tails)
}


def head(fields: Mapping[str, Any]) -> Head:
    """The head that `as_json` wrote; raises ForecastError for a kind that this code lacks."""
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items() if k != "kind"}
    if fields["kind"] not in _HEADS:
        raise ForecastError(f"expected a head of {sorted(_HEADS)}, found {fields['kind']!r}")
    return _HEADS[fields["kind"]](**given)
