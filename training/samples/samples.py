"""Rows to learn from: the settled part of a feature matrix as arrays, in the order of sessions."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.expected import Expected
from training.bundle.history import History
from training.forecast import CLASSES, Floats, Labels, Values

Stamps: TypeAlias = NDArray[np.datetime64]

# What a matrix carries beside its features (features/matrix/matrix.py).
BESIDE = (
    "instrument_id",
    "symbol",
    "session",
    "as_of",
    "label",
    "settled_at",
    "total_return",
    "delisted",
    "ambiguous",
    "persistence",
    "return_before",
)

MINIMUM_ROWS = 100
BATCH = 4096
UNKNOWN = -1


class TrainingError(Expected, ValueError):
    """The rows cannot be learnt from; the message says what was expected and found."""


@dataclass(frozen=True)
class Samples:
    """n settled rows, sorted by session, instrument and moment, and the history that they lie in.

    history: all rows of the matrix, settled or not, shared by all parts; rows: where in it.
    labels: 0, 1, 2. sessions, as_of, settled_at: datetime64. persistence: class of the
    instrument's newest label settled at or before as_of, or UNKNOWN. return_before: the
    instrument's return over the sessions before the decision (features/matrix/matrix.py), or NaN.
    ambiguous: whether the label rests on a rule about a bar that leaves it open.
    """

    features: tuple[str, ...]
    history: History
    rows: NDArray[np.intp]
    instruments: NDArray[np.str_]
    sessions: Stamps
    as_of: Stamps
    settled_at: Stamps
    labels: Labels
    persistence: Labels
    return_before: Floats
    ambiguous: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def values(self) -> Values:
        """The features at each decision, float32 (n, k), nulls are NaN."""
        return self.history.values[self.rows]

    def windows(self, window: int) -> Values:
        """The features at each decision and in the rows before it, float32 (n, window, k)."""
        return self.history.windows(self.rows, window)

    def answers(self, window: int, model: Callable[[Values], Floats]) -> Floats:
        """What a model says to the windows, gathered batch by batch: (n, 3)."""
        parts = [np.empty((0, len(CLASSES)))]
        for start in range(0, len(self), BATCH):
            rows = self.rows[start : start + BATCH]
            parts.append(model(self.history.windows(rows, window)))
        return np.concatenate(parts)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Samples":
        """Those rows, by position or mask."""
        arrays = {f.name: getattr(self, f.name)[rows] for f in fields(self)[2:]}
        return Samples(self.features, self.history, **arrays)

    def settled_by(self, moment: datetime) -> "Samples":
        """The rows whose truth was known at `moment`."""
        return self.take(self.settled_at <= stamp(moment))

    def relabelled(self, labels: Labels) -> "Samples":
        """The same rows under other labels (n,)."""
        return replace(self, labels=labels)

    def require_trainable(self) -> None:
        """Raise TrainingError unless there are rows enough and at least two classes."""
        if len(self) < MINIMUM_ROWS:
            raise TrainingError(
                f"expected at least {MINIMUM_ROWS} settled rows, found {len(self)}: "
                "load more sessions or lower FINPULSE_CONTEST_SESSIONS"
            )
        found = np.unique(self.labels)
        if len(found) < 2:
            raise TrainingError(
                f"expected at least two classes among {len(self)} rows, found only "
                f"{CLASSES[found[0]]}: check the label's barriers"
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


def from_matrix(matrix: pa.Table) -> Samples:
    """The settled rows of a matrix; rows without a label are left to look back on."""
    features = tuple(n for n in matrix.column_names if n not in BESIDE)
    whole, history = History.of_matrix(matrix, features)

    def column(table: pa.Table, name: str, kind: str) -> NDArray[Any]:
        return np.asarray(table[name].to_numpy(), dtype=kind)

    names = np.array(whole["instrument_id"].to_pylist(), dtype=np.str_)
    times = column(whole, "as_of", "datetime64[us]")
    labelled = np.flatnonzero(pc.is_valid(whole["label"]).to_numpy())
    rows = labelled[np.lexsort((times[labelled], names[labelled], history.days[labelled]))]
    settled = whole.take(pa.array(rows))
    persistence = pc.fill_null(settled["persistence"], UNKNOWN)
    return Samples(
        features=features,
        history=history,
        rows=rows,
        instruments=names[rows],
        sessions=history.days[rows],
        as_of=times[rows],
        settled_at=column(settled, "settled_at", "datetime64[us]"),
        labels=column(settled, "label", "int64"),
        persistence=np.asarray(persistence.to_numpy(), dtype=np.int64),
        return_before=column(settled, "return_before", "float64"),
        ambiguous=column(settled, "ambiguous", "bool"),
    )
