"""What an expert says: probabilities of down, neutral and up. Light: numpy only."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

CLASSES = ("down", "neutral", "up")
DOWN, NEUTRAL, UP = range(3)

BUY, SELL, HOLD = "buy", "sell", "hold"

Floats: TypeAlias = NDArray[np.float64]
Values: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int64]

_TOLERANCE = 1e-6


class ForecastError(ValueError):
    """Numbers are no forecast; the message says what was expected and found."""


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of n rows: `probabilities` is (n, 3) in the order of CLASSES, each row sums to 1.

    labels: the class that is forecast, by default the most probable one; a hard baseline names
    its own. Raises ForecastError on anything that is no probability.
    """

    probabilities: Floats
    hard: Labels | None = None

    def __post_init__(self) -> None:
        shape = self.probabilities.shape
        if len(shape) != 2 or shape[1] != len(CLASSES):
            raise ForecastError(f"expected probabilities of shape (n, 3), found {shape}")
        sound = np.isfinite(self.probabilities).all() and (self.probabilities >= 0).all()
        if not sound or np.abs(self.probabilities.sum(axis=1) - 1).max(initial=0) > _TOLERANCE:
            raise ForecastError("expected finite probabilities that sum to 1 in each row")

    @property
    def labels(self) -> Labels:
        """The forecast class of each row, (n,)."""
        if self.hard is not None:
            return self.hard
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.probabilities)


@dataclass(frozen=True)
class Thresholds:
    """By how much the chance of up must exceed that of down to buy, and the reverse to sell."""

    buy: float = 0.05
    sell: float = 0.05

    def signals(self, probabilities: Floats) -> list[str]:
        """BUY, SELL or HOLD for each row of probabilities (n, 3)."""
        lean = probabilities[:, UP] - probabilities[:, DOWN]
        return [BUY if x > self.buy else SELL if -x > self.sell else HOLD for x in lean.tolist()]


def normalised(raw: NDArray[np.floating]) -> Floats:
    """Non-negative scores (n, 3) as float64 rows that sum to 1."""
    wide = raw.astype(np.float64).reshape(-1, len(CLASSES))
    return np.asarray(wide / wide.sum(axis=1, keepdims=True), dtype=np.float64)


def softmax(logits: Floats) -> Floats:
    """Rows of logits as probabilities."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)
