"""How far the features of now are from those that the champion learnt from."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.calendar import last_sessions
from contracts.store import Store
from contracts.tables import DRIFT
from monitoring.drift_test import DRIFT_TESTS, DriftTest, Values
from monitoring.matrix import matrix, training_window
from training.bundle import Bundle

# A feature of a market wanders with its regimes: an alarm is what hardly a past window would raise.
FALSE_ALARMS = 0.01
# Fewer windows than this say nothing about rates: the declared threshold stands.
_WINDOWS = 8


Days: TypeAlias = NDArray[np.datetime64]


@dataclass(frozen=True)
class Watching:
    """A run: the last `sessions` up to `session` are held against the training window."""

    universe: str
    session: date
    snapshot: int
    sessions: int


def drift(store: Store, bundle: Bundle, run: Watching, now: datetime) -> pa.Table:
    """Score every drift test on every feature of the bundle and record the scores; returns them.

    The thresholds are calibrated on the training window (see `threshold`).
    """
    manifest = bundle.manifest
    window = training_window(store, manifest)
    seen = matrix(store, manifest, run.universe, window, manifest.snapshot)
    # Rows without a label were not learnt from: the warm-up of the features is among them.
    reference = seen.filter(pc.is_valid(seen["label"]))
    days = last_sessions(manifest.calendar, run.session, run.sessions)
    current = matrix(store, manifest, run.universe, (days[0], days[-1]), run.snapshot)
    named = {
        "universe": run.universe,
        "session": run.session,
        "snapshot": run.snapshot,
        "bundle": bundle.hash,
        "scored_at": now,
    }
    scores = _scores(manifest.features, reference, current, run.sessions)
    rows = [row | named for row in scores]
    frame = pa.Table.from_pylist(rows, schema=DRIFT.schema)
    store.record(DRIFT, frame)
    return frame


def threshold(test: DriftTest, values: Values, sessions: Days, length: int) -> float:
    """The score that at most FALSE_ALARMS of the reference's own windows would exceed.

    values, sessions: (n,), the reference. A window is `length` successive sessions, scored against
    all others. Never below the threshold that the test declares.
    """
    order = np.argsort(sessions, kind="stable")
    values = values[order]
    days, first = np.unique(sessions[order], return_index=True)
    starts = range(0, len(days) - length, max(1, length // 4))
    if len(starts) < _WINDOWS:
        return test.threshold
    scores = []
    for start in starts:
        begin, end = first[start], first[start + length]
        others = np.concatenate([values[:begin], values[end:]])
        scores.append(test.score(others, values[begin:end]))
    return max(test.threshold, float(np.quantile(scores, 1 - FALSE_ALARMS)))


def _scores(
    features: tuple[str, ...], reference: pa.Table, current: pa.Table, length: int
) -> Iterator[dict[str, Any]]:
    sessions = np.asarray(reference["session"].to_numpy(), dtype="datetime64[D]")
    for feature in features:
        before, after = _values(reference, feature), _values(current, feature)
        for test in DRIFT_TESTS:
            score = test.score(before, after)
            limit = threshold(test, before, sessions, length)
            yield {
                "test": test.name,
                "feature": feature,
                "score": score,
                "threshold": limit,
                "alarm": score > limit,
            }


def _values(frame: pa.Table, feature: str) -> Values:
    column = pc.cast(frame[feature], pa.float64())
    return np.asarray(column.to_numpy(), dtype=np.float64)
