"""Rows to learn from: the settled part of a feature matrix as arrays, in the order of sessions."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.forecast import CLASSES, Labels, Values

Stamps: TypeAlias = NDArray[np.datetime64]

# What a matrix carries beside its features (features/matrix.py).
BESIDE = (
    "instrument_id",
    "symbol",
    "session",
    "as_of",
    "label",
    "settled_at",
    "total_return",
    "delisted",
    "persistence",
)

MINIMUM_ROWS = 100
UNKNOWN = -1


class TrainingError(ValueError):
    """The rows cannot be learnt from; the message says what was expected and found."""


@dataclass(frozen=True)
class Samples:
    """n settled rows, sorted by session and instrument.

    values: float32 (n, k), nulls are NaN. labels: 0, 1, 2. sessions, as_of, settled_at:
    datetime64. persistence: class of the instrument's newest label settled at or before as_of,
    or UNKNOWN.
    """

    features: tuple[str, ...]
    instruments: NDArray[np.str_]
    sessions: Stamps
    as_of: Stamps
    settled_at: Stamps
    values: Values
    labels: Labels
    persistence: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Samples":
        """Those rows, by position or mask."""
        arrays = {f.name: getattr(self, f.name)[rows] for f in fields(self)[1:]}
        return Samples(self.features, **arrays)

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
    """The rows of instruments and sessions that both hold, in the same order."""

    def keys(samples: Samples) -> list[tuple[str, str]]:
        return list(zip(samples.instruments.tolist(), samples.sessions.astype(str), strict=True))

    places = {key: place for place, key in enumerate(keys(right))}
    pairs = [(i, places[key]) for i, key in enumerate(keys(left)) if key in places]
    chosen = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return left.take(chosen[:, 0]), right.take(chosen[:, 1])


def from_matrix(matrix: pa.Table) -> Samples:
    """The settled rows of a matrix; rows without a label are left out."""
    settled = matrix.filter(pc.is_valid(matrix["label"]))
    settled = settled.sort_by([("session", "ascending"), ("instrument_id", "ascending")])
    features = tuple(n for n in matrix.column_names if n not in BESIDE)

    def column(name: str, kind: str) -> NDArray[Any]:
        return np.asarray(settled[name].to_numpy(), dtype=kind)

    values = np.empty((settled.num_rows, len(features)), dtype=np.float32)
    for place, name in enumerate(features):
        values[:, place] = column(name, "float32")
    persistence = pc.fill_null(settled["persistence"], UNKNOWN)
    return Samples(
        features=features,
        instruments=np.array(settled["instrument_id"].to_pylist(), dtype=np.str_),
        sessions=column("session", "datetime64[D]"),
        as_of=column("as_of", "datetime64[us]"),
        settled_at=column("settled_at", "datetime64[us]"),
        values=values,
        labels=column("label", "int64"),
        persistence=np.asarray(persistence.to_numpy(), dtype=np.int64),
    )
