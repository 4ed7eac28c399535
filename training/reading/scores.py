"""How well probabilities meet known classes, with intervals, and two models beside each other."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.forecast import Floats
from training.text.labelled import ORDER

Classes: TypeAlias = NDArray[np.int64]
DRAWS = 2000
_SEED = 11


@dataclass(frozen=True)
class Score:
    """A number with its 95 % interval by bootstrap over texts."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """As tables show it."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Scores:
    """What one model reaches on n texts."""

    n: int
    accuracy: Score
    macro_f1: Score
    mcc: Score

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)


def counts(classes: Classes, guessed: Classes) -> Floats:
    """Texts by truth and guess (3, 3)."""
    k = len(ORDER)
    found = np.bincount(classes * k + guessed, minlength=k * k)
    return found.reshape(k, k).astype(float)


def accuracy(table: Floats) -> Floats:
    """Shares of right guesses, of tables (..., 3, 3) of truth by guess."""
    return np.asarray(np.trace(table, axis1=-2, axis2=-1) / table.sum((-2, -1)))


def macro_f1(table: Floats) -> Floats:
    """Mean over the classes of the harmonic mean of precision and recall; 0 of a class that is
    neither there nor guessed."""
    both = table.sum(-1) + table.sum(-2)
    right = np.diagonal(table, axis1=-2, axis2=-1)
    return np.asarray((2 * right / np.maximum(both, 1)).mean(-1))


def mcc(table: Floats) -> Floats:
    """Matthews' correlation coefficient of several classes (Gorodkin 2004); 0 where undefined."""
    n, right = table.sum((-2, -1)), np.trace(table, axis1=-2, axis2=-1)
    truth, guess = table.sum(-1), table.sum(-2)
    top = right * n - (truth * guess).sum(-1)
    bottom = (n**2 - (guess**2).sum(-1)) * (n**2 - (truth**2).sum(-1))
    return np.asarray(np.where(bottom > 0, top / np.sqrt(np.maximum(bottom, 1)), 0.0))


def scores(classes: Classes, guessed: Classes) -> Scores:
    """Accuracy, macro-F1 and MCC of guesses (n,) with intervals."""
    table, drawn = counts(classes, guessed), _drawn([(classes, guessed)])[0]
    whole = [_score(of, table, drawn) for of in (accuracy, macro_f1, mcc)]
    return Scores(len(classes), *whole)


def majority(classes: Classes) -> Classes:
    """The most frequent class for every text."""
    return np.full(len(classes), np.bincount(classes).argmax())


def _score(of: Callable[[Floats], Floats], table: Floats, drawn: Floats) -> Score:
    low, high = np.quantile(of(drawn), [0.025, 0.975])
    return Score(float(of(table)), float(low), float(high))


def _drawn(sides: Sequence[tuple[Classes, Classes]]) -> Floats:
    """Tables of truth and guess of each side (sides, DRAWS, 3, 3), of the same texts drawn with
    replacement."""
    k, n = len(ORDER), len(sides[0][0])
    random = np.random.default_rng(_SEED)
    cells = [classes * k + guessed for classes, guessed in sides]
    found = np.empty((len(sides), DRAWS, k * k))
    for draw in range(DRAWS):
        rows = random.integers(0, n, n)
        for side, cell in enumerate(cells):
            found[side, draw] = np.bincount(cell[rows], minlength=k * k)
    return found.reshape(len(sides), DRAWS, k, k)


@dataclass(frozen=True)
class Gain:
    """Challenger's macro-F1 less the champion's, with its 95 % interval and the share of draws in
    which there is none (one-sided)."""

    value: float
    low: float
    high: float
    p_value: float


def gain(sources: Sequence[tuple[Classes, Classes, Classes]]) -> Gain:
    """Mean over sources of the difference in macro-F1, by a bootstrap that draws texts of each
    source and looks at both sides' answers to the same ones.

    sources: (classes, challenger's guesses, champion's), one each.
    """
    value, drawn = 0.0, np.zeros(DRAWS)
    for classes, ours, theirs in sources:
        tables = _drawn([(classes, ours), (classes, theirs)])
        drawn += (macro_f1(tables[0]) - macro_f1(tables[1])) / len(sources)
        exact = macro_f1(counts(classes, ours)) - macro_f1(counts(classes, theirs))
        value += float(exact) / len(sources)
    low, high = np.quantile(drawn, [0.025, 0.975])
    none = (1 + int((drawn <= 0).sum())) / (1 + DRAWS)
    return Gain(value, float(low), float(high), float(none))
