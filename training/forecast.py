"""The form of an answer: classes, a value, quantiles or a position. Light: numpy."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Values: TypeAlias = NDArray[np.float32]

_TOLERANCE = 1e-6


class ForecastError(ValueError):
    """Numbers are no forecast; the message says what was expected and found."""


class Head(ABC):
    """The form in which a model answers, with the way from its raw numbers to that form.

    width: numbers per answer. Members are frozen dataclasses; a bundle's manifest holds one.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def width(self) -> int:
        """Numbers per answer."""

    @abstractmethod
    def require(self, values: Floats) -> None:
        """Raise ForecastError unless `values` (n, width) are answers of this form."""

    @abstractmethod
    def from_scores(self, scores: Floats) -> Floats:
        """Answers from unbounded scores (n, width), as a linear model has them."""

    @abstractmethod
    def from_means(self, raw: NDArray[np.floating]) -> Floats:
        """Answers from what a model that knows the link says, of any shape that holds them."""

    @abstractmethod
    def point(self, values: Floats) -> Floats:
        """The one number that each answer comes down to, (n,)."""

    def confidence(self, _values: Floats) -> Floats | None:
        """How sure each answer is of its point, (n,), 0 to 1; None where the form tells not."""
        return None

    def kept(self, values: Floats) -> Floats:
        """Answers that were written down, as they are to be told."""
        return values

    def unit(self, _values: Floats) -> float:
        """What differences between answers are measured in."""
        return 1.0

    def as_json(self) -> dict[str, Any]:
        """Plain values, as `head` takes them."""
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]

    def _shaped(self, values: Floats) -> None:
        if values.ndim != 2 or values.shape[1] != self.width:
            raise ForecastError(f"expected {self} of shape (n, {self.width}), found {values.shape}")
        if not np.isfinite(values).all():
            raise ForecastError(f"expected {self} that are finite, found others")


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
        return _largest(values)


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
        return _largest(values)


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


_HEADS: dict[str, type[Head]] = {one.kind: one for one in (Classes, Value, Quantiles, Position)}


def head(fields: Mapping[str, Any]) -> Head:
    """The head that `as_json` wrote; raises ForecastError for a kind that this code lacks."""
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items() if k != "kind"}
    if fields["kind"] not in _HEADS:
        raise ForecastError(f"expected a head of {sorted(_HEADS)}, found {fields['kind']!r}")
    return _HEADS[fields["kind"]](**given)


def _largest(values: Floats) -> float:
    return float(np.abs(values).max(initial=0.0)) or 1.0


def positive(values: NDArray[np.floating], instead: float) -> Floats:
    """The values, and `instead` where they are no number above 0."""
    wide = values.astype(np.float64)
    return np.asarray(np.where(np.isfinite(wide) & (wide > 0), wide, instead))


def typical(values: NDArray[np.floating]) -> float:
    """The median of the values that are numbers above 0; 1 where there is none."""
    known = values[np.isfinite(values) & (values > 0)]
    return float(np.median(known)) if len(known) else 1.0
