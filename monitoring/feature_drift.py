"""How far the features of now are from those that the champion learnt from."""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import special

from contracts.cut import Cut
from contracts.store import Store
from contracts.tables import DRIFT
from contracts.time.calendar import last_session
from monitoring.drift_test import DRIFT_TESTS, DriftTest, Values
from monitoring.meaning import MEANING, meanings
from training.bundle.bundle import manifest_of
from training.bundle.manifest import Manifest
from training.bundle.text_model import text_model

if TYPE_CHECKING:
    from features.view import FeatureView

# A feature of a market wanders with its regimes: an alarm is what hardly a past window would raise.
FALSE_ALARMS = 0.01
# Scores below this share of the declared threshold are all the same: nothing moved.
_NOTHING = 0.1
# Few windows may score alike by chance: their deviation, in logarithms, is at least this.
_SPREAD = 0.1
# A window in which a feature changes less often, as one told monthly, has no ceiling.
_TOLD = 1.5
# The logarithm of the largest number there is, nearly.
_LARGEST = 700.0


Days: TypeAlias = NDArray[np.datetime64]


def drift(store: Store, bundle: str, cut: Cut, now: datetime) -> pa.Table:
    """Hold the cut's features against those that the bundle learnt from; returns the scores.

    bundle: its hash; of it the manifest alone is read, no model. Raises BundleError without one.

    Every drift test scores every feature, the joint ones what headlines mean; the scores are
    recorded. The thresholds are calibrated on the training window (see `threshold`).
    """
    from features.matrix.matrix import load_matrix
    from features.view import view

    manifest = manifest_of(bundle)
    chosen, pinned = view(manifest.view), text_model(store, manifest)
    window = learnt_from(store, cut, manifest, pinned)
    seen = load_matrix(store, window, chosen, pinned, manifest.taught(), missing="write")
    # Rows without a label were not learnt from: the warm-up of the features is among them.
    reference = seen.filter(pc.is_valid(seen["label"]))
    current = load_matrix(store, cut, chosen, pinned, missing="write")
    named = {
        "universe": cut.universe.name,
        "target": manifest.target,
        "session": cut.last,
        "snapshot": cut.snapshot,
        "bundle": bundle,
        "scored_at": now,
    }
    scores = [*_scores(_memories(chosen), reference, current, len(cut.sessions))]
    if pinned and chosen.interval == "1d":
        scores += meaning_scores(store, window, cut, pinned)
    rows = [row | named for row in scores]
    frame = pa.Table.from_pylist(rows, schema=DRIFT.schema)
    store.record(DRIFT, frame)
    return frame


def learnt_from(store: Store, cut: Cut, manifest: Manifest, pinned: str) -> Cut:
    """The sessions that a bundle learnt from, at the snapshot that it saw; raises MatrixMissing."""
    from features.matrix.receipts import require_first
    from features.view import view

    last = last_session(cut.universe.calendar, manifest.as_of)
    whole = Cut.at(cut.universe, last, manifest.snapshot)
    return whole.since(require_first(store, whole, view(manifest.view), pinned))


def threshold(test: DriftTest, values: Values, sessions: Days, length: int, memory: int) -> float:
    """The score that a further window exceeds with probability FALSE_ALARMS if nothing drifts.

    values, sessions: (n,), the reference. A window is `length` successive sessions. memory: the
    sessions that a value of the feature looks back on. The logarithms of the scores of the
    reference's own windows, each against all others, are taken as normal, and the limit is
    Student's prediction bound for one more of them: Hahn and Meeker (1991), Statistical
    Intervals, chapter 4. Never below the test's threshold, never above its ceiling where a window
    holds enough values: one new value is beyond two dozen old ones by chance often enough.
    """
    scores = _own_scores(test, values, sessions, length)
    if not len(scores):
        return test.threshold
    logs = np.log(np.maximum(scores, _NOTHING * test.threshold))
    # Windows share nothing only this far apart, so that a reference holds few that tell of more
    # than their neighbours do, however many overlapping ones are scored.
    count = max(2.0, len(np.unique(sessions)) / (length + memory))
    deviation = max(_SPREAD, logs.std()) * np.sqrt(count / (count - 1) * (1 + 1 / count))
    limit = logs.mean() + special.stdtrit(count - 1, 1 - FALSE_ALARMS) * deviation
    told = math.isfinite(test.ceiling) and _changes(values, sessions, length) >= _TOLD
    highest = test.ceiling if told else np.inf
    return min(max(test.threshold, float(np.exp(min(limit, _LARGEST)))), highest)


def _changes(values: Values, sessions: Days, length: int) -> float:
    order = np.argsort(sessions, kind="stable")
    days, first = np.unique(sessions[order], return_index=True)
    level = np.add.reduceat(np.nan_to_num(values[order]), first)
    return float(np.count_nonzero(np.diff(level))) * length / len(days)


def _own_scores(test: DriftTest, values: Values, sessions: Days, length: int) -> Values:
    days, day = np.unique(sessions, return_inverse=True)
    # What is ordered once need not be for each window; what means something jointly stays in time.
    order = np.argsort(day if test.joint else values, kind="stable")
    values, day = values[order], day[order]
    scores = []
    for start in range(0, len(days) - length, max(1, length // 4)):
        window = (day >= start) & (day < start + length)
        scores.append(test.score(values[~window], values[window]))
    return np.array(scores)


def _memories(chosen: "FeatureView") -> dict[str, int]:
    # A minute looks back within its session alone.
    daily = chosen.interval == "1d"
    return {f.name: f.lookback if daily else 0 for f in chosen.members}


def _scores(
    memories: Mapping[str, int], reference: pa.Table, current: pa.Table, length: int
) -> Iterator[dict[str, Any]]:
    sessions = np.asarray(reference["session"].to_numpy(), dtype="datetime64[D]")
    for feature, memory in memories.items():
        before, after = _values(reference, feature), _values(current, feature)
        for test in DRIFT_TESTS:
            if not test.joint:
                yield _score(test, feature, (before, after), sessions, (length, memory))


def _score(
    test: DriftTest, feature: str, sides: tuple[Values, Values], days: Days, spans: tuple[int, int]
) -> dict[str, Any]:
    score, limit = test.score(*sides), threshold(test, sides[0], days, *spans)
    told = {"score": score, "threshold": limit, "alarm": score > limit}
    return {"test": test.name, "feature": feature, **told}


def meaning_scores(store: Store, window: Cut, cut: Cut, model: str) -> list[dict[str, Any]]:
    """What the joint tests say of the headlines of the cut, beside those of the window before.

    model: whose embeddings they are; without any on either side nothing is said.
    """
    days, before = meanings(store, window, model)
    after = meanings(store, cut, model)[1]
    if not len(before) or not len(after):
        return []
    spans = len(cut.sessions), 0
    return [_score(t, MEANING, (before, after), days, spans) for t in DRIFT_TESTS if t.joint]


def _values(frame: pa.Table, feature: str) -> Values:
    column = pc.cast(frame[feature], pa.float64())
    return np.asarray(column.to_numpy(), dtype=np.float64)
