"""What every form of an answer has: a width, a check, and the ways to it. Light: numpy."""

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Values: TypeAlias = NDArray[np.float32]


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


def largest(values: Floats) -> float:
    """The largest of the values in size; 1 where there is none above 0."""
    return float(np.abs(values).max(initial=0.0)) or 1.0


def positive(values: NDArray[np.floating], instead: float) -> Floats:
    """The values, and `instead` where they are no number above 0."""
    wide = values.astype(np.float64)
    return np.asarray(np.where(np.isfinite(wide) & (wide > 0), wide, instead))


def typical(values: NDArray[np.floating]) -> float:
    """The median of the values that are numbers above 0; 1 where there is none."""
    known = values[np.isfinite(values) & (values > 0)]
    return float(np.median(known)) if len(known) else 1.0
