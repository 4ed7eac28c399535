"""Which texts are scored, and that a broken run goes on where it ended."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from told_texts import DAY, even, load

from contracts.store import Store
from contracts.table import Table
from contracts.tables import SENTIMENTS
from training.steps import score_text
from training.text.scorer import Read, Scorer

pytestmark = pytest.mark.integration

FAKE = Scorer("fake-1", lambda: even)


def test_each_known_text_is_scored_once_per_model(store: Store) -> None:
    late = DAY + timedelta(hours=1)
    snapshot = load(store, [("good", DAY), ("good", DAY), ("bad", DAY), ("late", late)])
    left = score_text.unscored(store, DAY, snapshot, FAKE)
    assert sorted(left["text"].to_pylist()) == ["bad", "good"]
    assert list(score_text.score(store, left, FAKE, DAY)) == [2]
    assert score_text.unscored(store, DAY, snapshot, FAKE).num_rows == 0
    assert (
        score_text.unscored(store, DAY, snapshot, replace(FAKE, model_version="fake-2")).num_rows
        == 2
    )
    later = score_text.unscored(store, late, snapshot, FAKE)
    assert later["text"].to_pylist() == ["late"]
    row = store.query("SELECT * FROM sentiments WHERE text_hash = 'hash of bad'").to_pylist()[0]
    assert (row["p_negative"], row["p_neutral"], row["p_positive"]) == (0.2, 0.3, 0.5)


def test_a_broken_run_goes_on_where_it_ended(store: Store) -> None:
    tens = replace(FAKE, chunk=10)
    snapshot = load(store, [(f"text {i}", DAY) for i in range(25)])
    left = score_text.unscored(store, DAY, snapshot, FAKE)
    assert next(score_text.score(store, left, tens, DAY)) == 10
    assert score_text.unscored(store, DAY, snapshot, FAKE).num_rows == 15


def test_a_snapshot_without_headlines_has_nothing_to_score(store: Store) -> None:
    left = score_text.unscored(store, DAY, 0, FAKE)
    assert left.num_rows == 0
    assert list(score_text.score(store, left, FAKE, DAY)) == []


def weighed(texts: list[str]) -> Read:
    """Embeddings that hold a text's length."""
    lengths = np.array([[len(text), 1.0, 0.5] for text in texts])
    return replace(even(texts), embeddings=lengths)


def test_the_embedding_is_kept_beside_the_sentiment(store: Store) -> None:
    snapshot = load(store, [("good", DAY), ("not bad", DAY)])
    # Scored by a release of before, which kept no embeddings: it is read once more.
    old = replace(FAKE, model_version="both-1")
    list(score_text.score(store, score_text.unscored(store, DAY, snapshot, old), old, DAY))
    both = Scorer("both-1", lambda: weighed, embeds=True)
    left = score_text.unscored(store, DAY, snapshot, both)
    assert left.num_rows == 2
    assert list(score_text.score(store, left, both, DAY)) == [2]
    assert score_text.unscored(store, DAY, snapshot, both).num_rows == 0
    rows = store.query("SELECT text_hash, vector FROM embeddings ORDER BY 1").to_pylist()
    assert [row["vector"] for row in rows] == [[4.0, 1.0, 0.5], [7.0, 1.0, 0.5]]
    assert store.query("SELECT FROM sentiments").num_rows == 2


def test_a_text_whose_sentiment_was_lost_on_the_way_is_read_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = load(store, [("good", DAY)])
    both = Scorer("both-1", lambda: weighed, embeds=True)
    record = store.record

    def killed(table: Table, frame: pa.Table) -> int:
        if table is SENTIMENTS:
            raise KeyboardInterrupt
        return record(table, frame)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "record", killed)
        list(score_text.score(store, score_text.unscored(store, DAY, snapshot, both), both, DAY))
    left = score_text.unscored(store, DAY, snapshot, both)
    assert list(score_text.score(store, left, both, DAY)) == [1]
    counts = [store.query(f"SELECT FROM {name}").num_rows for name in ("embeddings", "sentiments")]
    assert counts == [1, 1]
