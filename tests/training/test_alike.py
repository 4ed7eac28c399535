"""Headlines like a text: the closest first, with pgvector and without it."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from told_texts import DAY, even, load

from contracts.migrations.versions.r0020_alike import CLOSENESS
from contracts.store import Store
from training.steps import score_text
from training.text.history.alike import NothingEmbedded, alike
from training.text.scorer import Read, Scorer

pytestmark = pytest.mark.integration

DIRECTIONS = {"up": 0.0, "rather up": 20.0, "sideways": 90.0, "down": 175.0}


def turned(texts: list[str]) -> Read:
    angles = np.radians([DIRECTIONS[text] for text in texts])
    return Read(even(texts).probabilities, np.column_stack([np.cos(angles), np.sin(angles)]))


COMPASS = Scorer("compass-1", lambda: turned, embeds=True)


def test_the_closest_headlines_come_first(store: Store) -> None:
    later = DAY + timedelta(hours=1)
    known = [(text, DAY) for text in ("down", "rather up", "sideways")]
    snapshot = load(store, [*known, ("up", later)])
    left = score_text.unscored(store, later, snapshot, COMPASS)
    with pytest.raises(NothingEmbedded, match="has embedded none of 3 known texts"):
        alike(store, COMPASS, "up", 2, DAY)
    list(score_text.score(store, left, COMPASS, DAY))
    found = alike(store, COMPASS, "up", 2, DAY)
    assert found["text"].to_list() == ["rather up", "sideways"], "what came later is not known"
    assert found["closeness"].to_list() == pytest.approx([np.cos(np.radians(20)), 0], abs=1e-6)
    assert alike(store, COMPASS, "up", 1, later)["text"].to_list() == ["up"]
    with pytest.raises(NothingEmbedded, match="name a model that embeds"):
        alike(store, Scorer("toned-1", lambda: even), "up", 2, DAY)

    # The same from a server without pgvector.
    assert store.query("SELECT FROM pg_extension WHERE extname = 'vector'").num_rows == 1
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION closeness; DROP EXTENSION vector")
        cursor.execute(CLOSENESS.replace("CREATE EXTENSION IF NOT EXISTS vector", "PERFORM 1 / 0"))
    assert store.query("SELECT FROM pg_extension WHERE extname = 'vector'").num_rows == 0
    plain = alike(store, COMPASS, "up", 2, DAY)
    assert plain.drop("closeness").equals(found.drop("closeness"))
    assert np.allclose(plain["closeness"], found["closeness"], atol=1e-6)
    assert isinstance(plain.to_arrow(), pa.Table)
