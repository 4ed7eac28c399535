"""How far the features of now are from those that the champion learnt from."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.calendar import last_sessions
from contracts.store import Store
from contracts.tables import DRIFT
from monitoring.drift_test import DRIFT_TESTS, Values
from monitoring.matrix import matrix, training_window
from training.bundle import Bundle


@dataclass(frozen=True)
class Watching:
    """A run: the last `sessions` up to `session` are held against the training window."""

    universe: str
    session: date
    snapshot: int
    sessions: int


def drift(store: Store, bundle: Bundle, run: Watching, now: datetime) -> pa.Table:
    """Score every drift test on every feature of the bundle and record the scores; returns them."""
    manifest = bundle.manifest
    window = training_window(store, manifest)
    reference = matrix(store, manifest, run.universe, window, manifest.snapshot)
    days = last_sessions(manifest.calendar, run.session, run.sessions)
    current = matrix(store, manifest, run.universe, (days[0], days[-1]), run.snapshot)
    named = {
        "universe": run.universe,
        "session": run.session,
        "snapshot": run.snapshot,
        "bundle": bundle.hash,
        "scored_at": now,
    }
    rows = [row | named for row in _scores(manifest.features, reference, current)]
    frame = pa.Table.from_pylist(rows, schema=DRIFT.schema)
    store.record(DRIFT, frame)
    return frame


def _scores(
    features: tuple[str, ...], reference: pa.Table, current: pa.Table
) -> Iterator[dict[str, Any]]:
    for feature in features:
        before, after = _values(reference, feature), _values(current, feature)
        for test in DRIFT_TESTS:
            score = test.score(before, after)
            yield {
                "test": test.name,
                "feature": feature,
                "score": score,
                "threshold": test.threshold,
                "alarm": score > test.threshold,
            }


def _values(frame: pa.Table, feature: str) -> Values:
    column = pc.cast(frame[feature], pa.float64())
    return np.asarray(column.to_numpy(), dtype=np.float64)
