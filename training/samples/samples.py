"""Rows to learn from: the settled part of a feature matrix as arrays, in the order of sessions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.expected import Expected
from training.bundle.history import History
from training.forecast import Floats, Values
from training.objective import Truth

Stamps: TypeAlias = NDArray[np.datetime64]

# Columns of a matrix that are numbers of what came, not of what was known (features/matrix).
_TOLD_LATER = ("label", "total_return")

MINIMUM_ROWS = 100
BATCH = 4096


class TrainingError(Expected, ValueError):
    """The rows cannot be learnt from; the message says what was expected and found."""


@dataclass(frozen=True)
class Samples:
    """n settled rows, sorted by session, instrument and moment, and the history that they lie in.

    history: all rows of the matrix, settled or not, shared by all parts; rows: where in it.
    truth: whole numbers of classes, int64, or else float64. sessions, as_of, settled_at:
    datetime64. beside: what naive forecasts of the target are made of, NaN where it was not known
    (`features.label.Label.beside`). ambiguous: whether the truth rests on a rule about a bar that
    leaves it open.
    """

    features: tuple[str, ...]
    history: History
    rows: NDArray[np.intp]
    instruments: NDArray[np.str_]
    sessions: Stamps
    as_of: Stamps
    settled_at: Stamps
    truth: Truth
    ambiguous: NDArray[np.bool_]
    beside: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def values(self) -> Values:
        """The features at each decision, float32 (n, k), nulls are NaN."""
        return self.history.values[self.rows]

    def column(self, name: str) -> Values:
        """A feature at each decision, (n,); raises TrainingError when the rows have none such."""
        if name not in self.features:
            raise TrainingError(
                f"expected the feature {name} among those of the rows, found "
                f"{', '.join(self.features)}: name a view that has it in the recipe"
            )
        found: Values = self.history.values[self.rows, self.features.index(name)]
        return found

    def windows(self, window: int) -> Values:
        """The features at each decision and in the rows before it, float32 (n, window, k)."""
        return self.history.windows(self.rows, window)

    def answers(self, window: int, model: Callable[[Values], Floats]) -> Floats:
        """What a model says to the windows, gathered batch by batch: (n, width of its head)."""
        parts = []
        for start in range(0, max(len(self), 1), BATCH):
            rows = self.rows[start : start + BATCH]
            parts.append(model(self.history.windows(rows, window)))
        return np.concatenate(parts)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Samples":
        """Those rows, by position or mask."""
        arrays = {f.name: getattr(self, f.name)[rows] for f in fields(self)[2:-1]}
        beside = {name: column[rows] for name, column in self.beside.items()}
        return Samples(self.features, self.history, **arrays, beside=beside)

    def settled_by(self, moment: datetime) -> "Samples":
        """The rows whose truth was known at `moment`."""
        return self.take(self.settled_at <= stamp(moment))

    def with_truth(self, truth: Truth) -> "Samples":
        """The same rows of which another truth (n,) is told."""
        return replace(self, truth=truth)

    def require_trainable(self) -> None:
        """Raise TrainingError unless there are rows enough, and not all of one truth."""
        if len(self) < MINIMUM_ROWS:
            raise TrainingError(
                f"expected at least {MINIMUM_ROWS} settled rows, found {len(self)}: "
                "load more sessions or lower FINPULSE_CONTEST_SESSIONS"
            )
        found = np.unique(self.truth)
        if len(found) < 2:
            raise TrainingError(
                f"expected at least two truths among {len(self)} rows, found only {found[0]}: "
                "check the terms of the target's label"
            )


def stamp(moment: datetime) -> np.datetime64:
    """An aware datetime as UTC microseconds."""
    return np.datetime64(round(moment.timestamp() * 1e6), "us")


def common(left: Samples, right: Samples) -> tuple[Samples, Samples]:
    """The decisions of instruments that both hold, in the same order."""

    def keys(samples: Samples) -> list[tuple[str, int]]:
        moments = samples.as_of.astype(np.int64)
        return list(zip(samples.instruments.tolist(), moments.tolist(), strict=True))

    places = {key: place for place, key in enumerate(keys(right))}
    pairs = [(i, places[key]) for i, key in enumerate(keys(left)) if key in places]
    chosen = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return left.take(chosen[:, 0]), right.take(chosen[:, 1])


def from_matrix(matrix: pa.Table, features: Sequence[str] = ()) -> Samples:
    """The settled rows of a matrix; rows without a truth are left to look back on.

    features: those that are to be learnt from, in that order; all of the matrix when empty.
    """
    features = tuple(features) or _of_type(matrix, pa.types.is_float32)
    whole, history = History.of_matrix(matrix, features)

    def column(table: pa.Table, name: str, kind: str) -> NDArray[Any]:
        return np.asarray(table[name].to_numpy(), dtype=kind)

    names = np.array(whole["instrument_id"].to_pylist(), dtype=np.str_)
    times = column(whole, "as_of", "datetime64[us]")
    labelled = np.flatnonzero(pc.is_valid(whole["label"]).to_numpy())
    rows = labelled[np.lexsort((times[labelled], names[labelled], history.days[labelled]))]
    settled = whole.take(pa.array(rows))
    # Classes are whole numbers; of a label that has none they would all become 0.
    kind = "int64" if pa.types.is_integer(settled["label"].type) else "float64"
    beside = [n for n in _of_type(matrix, pa.types.is_float64) if n not in _TOLD_LATER]
    return Samples(
        features=features,
        history=history,
        rows=rows,
        instruments=names[rows],
        sessions=history.days[rows],
        as_of=times[rows],
        settled_at=column(settled, "settled_at", "datetime64[us]"),
        truth=column(settled, "label", kind),
        ambiguous=column(settled, "ambiguous", "bool"),
        beside={name: column(settled, name, "float64") for name in beside},
    )


def _of_type(matrix: pa.Table, of: Callable[[pa.DataType], bool]) -> tuple[str, ...]:
    return tuple(f.name for f in matrix.schema if of(f.type))
