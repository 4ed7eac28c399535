"""What an objective is: what an answer says, how a row of it is judged, and what it must beat.

    @objective("trend")
    class Trend(Objective): ...

Everything above asks it, and none of that names a class, a column or a loss of its own. Light:
serving reads it through a bundle.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from contracts.registry import Registry
from training.forecast import Floats, Head, Values

Truth: TypeAlias = NDArray[Any]

CLOSE = "close"  # the last price at a decision, as it was quoted and known then

BUY, SELL, HOLD, ABSTAIN = "buy", "sell", "hold", "abstain"


@dataclass(frozen=True)
class Forecasts:
    """What somebody said of n rows: `values` (n, columns of the objective).

    named: the one number of each row, where it is not what follows from the values (a naive rule
    names its own class). learnt: up to when truths were known to who said it, datetime64 (n,); None
    where nobody tells. Raises ForecastError on what is no answer of the objective's form.
    """

    objective: "Objective"
    values: Floats
    named: Floats | None = None
    learnt: NDArray[np.datetime64] | None = None

    def __post_init__(self) -> None:
        self.objective.head.require(self.values)

    @property
    def point(self) -> Floats:
        """The one number that each answer comes down to, (n,): the class, the value, the median."""
        return self.objective.head.point(self.values) if self.named is None else self.named

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Loss:
    """A loss: `of` gives one of each row, null where the row does not count.

    margin: the smallest difference of means that matters, in `unit`. proper: whether nobody does
    better on average than who says what is so; of others a sure truth alone is told best by itself.
    """

    name: str
    of: Callable[[Forecasts, Truth], Floats]
    margin: float
    unit: str = "nats"
    proper: bool = True

    @property
    def words(self) -> str:
        """Its name in a sentence."""
        return self.name.replace("_", " ")


class Rows(Protocol):
    """What baselines look at: n rows with their truth, and what naive forecasts are made of."""

    @property
    def features(self) -> tuple[str, ...]:
        """What the columns are called."""

    @property
    def truth(self) -> Truth:
        """What came, (n,): whole numbers of classes, else float64."""

    @property
    def beside(self) -> Mapping[str, Floats]:
        """What the target's label lays beside the features, null where it was not known."""

    @property
    def instruments(self) -> NDArray[np.str_]:
        """Whose rows they are, (n,)."""

    def column(self, name: str) -> Values:
        """A feature at each decision, (n,)."""

    def __len__(self) -> int: ...


Baseline: TypeAlias = Callable[[Rows, Rows], Forecasts]


class Objective(ABC):
    """One kind of answer; members are classes under `@objective`, their only state is declared.

    columns: what the numbers of an answer are called, in the order of the head. kinds: of labels
    that it answers for. judged: the first loss decides who is better, the others must not be
    harmed. learned: the score that fitting and tuning make small. metrics: the scores that are
    shown; coarse: those of which three digits tell enough. baselines: naive forecasts at their
    best, fitted on the first rows for the second. zero: the expert that is in office first.
    thresholds: of its signals, unless a recipe has others. tells: what callers are told, field ->
    what it is, in an object beside the forecasts of an objective that tells nothing, which lead;
    the object is called by `told_as`, else by the objective's name; fields that hold no number are
    of the types in `typed`. keeps: what of a decision's row is kept with its answer: features of
    the view, and CLOSE.
    """

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    head: ClassVar[Head]
    kinds: ClassVar[tuple[str, ...]]
    judged: ClassVar[tuple[Loss, ...]]
    learned: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    coarse: ClassVar[tuple[str, ...]] = ()
    baselines: ClassVar[Mapping[str, Baseline]]
    zero: ClassVar[str]
    thresholds: ClassVar[Mapping[str, float]] = {}
    tells: ClassVar[Mapping[str, str]] = {}
    typed: ClassVar[Mapping[str, Any]] = {}
    told_as: ClassVar[str] = ""
    keeps: ClassVar[tuple[str, ...]] = ()

    @property
    def called(self) -> str:
        """The name of what callers are told of it."""
        return self.told_as or self.name

    def losses(self, said: Forecasts, truth: Truth) -> dict[str, Floats]:
        """Each judged loss of each row by name, (n,), null where the row does not count."""
        return {loss.name: loss.of(said, truth) for loss in self.judged}

    def statistics(self, said: Forecasts, truth: Truth) -> Floats:
        """What the scores follow from, one row of numbers each, (k, n): their sums are enough."""
        found = self.losses(said, truth).values()
        return np.stack([part for x in found for part in (np.nan_to_num(x), np.isfinite(x))])

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """The metrics of m groups of rows from their summed statistics (m, k), (m,) each."""
        pairs = zip(self.judged, sums.T[::2], sums.T[1::2], strict=True)
        return {loss.name: total / np.maximum(n, 1.0) for loss, total, n in pairs}

    @abstractmethod
    def recalibrated(self, said: Forecasts, truth: Truth, asked: Forecasts) -> Forecasts:
        """`asked` mended in the simplest way that what came of `said` suggests."""

    @abstractmethod
    def calibration(self, said: Forecasts, truth: Truth) -> dict[str, tuple[Floats, Floats]]:
        """Pictures by title: what was said and what came, (n,) each, equal on average when true."""

    def derived(self, values: Floats) -> dict[str, Floats]:  # noqa: ARG002
        """Numbers that follow from answers (n, columns) and are kept with them by name, (n,)."""
        return {}

    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What `tells` names, of a stored prediction with its columns and what follows by name."""
        return {name: row[name] for name in self.tells}

    def rank(self, row: Mapping[str, Any]) -> float:
        """By what stored predictions are put in order, the largest first."""
        return float(row[self.columns[0]])

    def leans(self, values: Floats) -> Floats | None:  # noqa: ARG002
        """Which way answers (n, columns) lean, (n,) from -1, to sell, to 1, to buy; None: as those
        of that form do (`training.part.leans`)."""
        return None

    def implausible(self, scores: Mapping[str, float]) -> str:  # noqa: ARG002
        """Why the scores are too good to be true; empty when they are not."""
        return ""

    def signals(
        self,
        said: Forecasts,  # noqa: ARG002
        thresholds: Mapping[str, float],  # noqa: ARG002
    ) -> list[str] | None:
        """BUY, SELL, HOLD or ABSTAIN for each row; None where the objective gives no signals."""
        return None


OBJECTIVES: Registry[Objective] = Registry("objective", "training.objectives")

Member = TypeVar("Member", bound=type[Objective])


def objective(name: str) -> Callable[[Member], Member]:
    """Declare a class as the objective `name`."""

    def declare(member: Member) -> Member:
        member.name = name
        OBJECTIVES.add(name, member())
        return member

    return declare
