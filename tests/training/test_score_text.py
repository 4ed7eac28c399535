"""Which texts are scored, and that a broken run goes on where it ended."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from contracts.store import Provenance, Store
from contracts.tables import HEADLINES
from training.steps import score_text
from training.text.scorer import Read, Scorer

pytestmark = pytest.mark.integration

DAY = datetime(2025, 6, 30, 20, tzinfo=UTC)


def even(texts: list[str]) -> Read:
    return Read.toned(np.tile([0.2, 0.3, 0.5], (len(texts), 1)))


FAKE = Scorer("fake-1", lambda: even)


def load(store: Store, headlines: list[tuple[str, datetime]]) -> int:
    rows = [
        {"source": "simulated", "native_id": str(i), "event_time": known, "text": text}
        | {"text_hash": f"hash of {text}", "url": None, "known_at": known}
        for i, (text, known) in enumerate(headlines)
    ]
    frame = pa.Table.from_pylist(rows, schema=HEADLINES.schema)
    store.append(HEADLINES, frame, Provenance("load", "simulated", "simulated", vintages=True))
    return store.snapshot()


def test_each_known_text_is_scored_once_per_model(store: Store) -> None:
    late = DAY + timedelta(hours=1)
    snapshot = load(store, [("good", DAY), ("good", DAY), ("bad", DAY), ("late", late)])
    left = score_text.unscored(store, DAY, snapshot, FAKE)
    assert sorted(left["text"].to_pylist()) == ["bad", "good"]
    assert list(score_text.score(store, left, FAKE, DAY)) == [2]
    assert score_text.unscored(store, DAY, snapshot, FAKE).num_rows == 0
    assert score_text.unscored(store, DAY, snapshot, Scorer("fake-2", FAKE.load)).num_rows == 2
    later = score_text.unscored(store, late, snapshot, FAKE)
    assert later["text"].to_pylist() == ["late"]
    row = store.query("SELECT * FROM sentiments WHERE text_hash = 'hash of bad'").to_pylist()[0]
    assert (row["p_negative"], row["p_neutral"], row["p_positive"]) == (0.2, 0.3, 0.5)


def test_a_broken_run_goes_on_where_it_ended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_text, "_CHUNK", 10)
    snapshot = load(store, [(f"text {i}", DAY) for i in range(25)])
    left = score_text.unscored(store, DAY, snapshot, FAKE)
    assert next(score_text.score(store, left, FAKE, DAY)) == 10
    assert score_text.unscored(store, DAY, snapshot, FAKE).num_rows == 15


def test_a_snapshot_without_headlines_has_nothing_to_score(store: Store) -> None:
    left = score_text.unscored(store, DAY, 0, FAKE)
    assert left.num_rows == 0
    assert list(score_text.score(store, left, FAKE, DAY)) == []
