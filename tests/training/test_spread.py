"""Texts read inside Spark say what they say in process, and a broken run goes on."""

import json
from pathlib import Path

import numpy as np
import pytest
from told_texts import DAY, load
from typer.testing import CliRunner

from contracts.settings import settings
from contracts.store import Store
from training.steps import score_text
from training.text.history.spread import Spread, spread
from training.text.named import model

pytestmark = [pytest.mark.spark, pytest.mark.integration]

TEXTS = [
    *(f"Company {place} beats its estimates" for place in range(30)),
    *("", "Shares fall https://t.co/x", "word " * 300, "\u00fc \U0001f680"),
]


def test_spark_reads_as_this_process_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    monkeypatch.setenv("FINPULSE_OBJECTS_URL", str(tmp_path))
    settings.cache_clear()
    here = model("minilm", None)
    wanted = here.read(TEXTS)
    with spread(iter([here])) as inside:
        [there] = inside
        found = there.read(TEXTS)
        assert there.read([]).probabilities.shape == (0, 3)
        # Recorded through the same step, chunk by chunk.
        snapshot = load(store, [(text, DAY) for text in TEXTS])
        left = score_text.unscored(store, DAY, snapshot, there)
        assert isinstance(there, Spread)
        assert list(score_text.score(store, left, there, DAY)) == [len(TEXTS)]
    assert np.abs(found.probabilities - wanted.probabilities).max() < 1e-6
    assert np.abs(found.embeddings - wanted.embeddings).max() < 1e-6
    kept = store.query("SELECT p_positive FROM sentiments WHERE text_hash = 'hash of '").to_pylist()
    assert kept[0]["p_positive"] == pytest.approx(wanted.probabilities[TEXTS.index("")][2])
    assert score_text.unscored(store, DAY, snapshot, here).num_rows == 0


def test_the_verb_reads_inside_spark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    from training.__main__ import app

    monkeypatch.setenv("FINPULSE_OBJECTS_URL", str(tmp_path))
    settings.cache_clear()
    snapshot = load(store, [(text, DAY) for text in TEXTS[:3]])
    words = ["score-text", "--session", "2025-06-30", "--snapshot", str(snapshot), "--spark"]
    done = CliRunner().invoke(app, [*words, "--inputs"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["text_model"].startswith("minilm-")
    assert store.query("SELECT FROM embeddings").num_rows == 3
