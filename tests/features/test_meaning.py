"""What headlines mean counts in the session whose close first knew them, and keeps its angles."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from contracts.cut import Cut
from contracts.tables import EMBEDDINGS
from features.inputs.meaning import WIDTH, projected
from features.matrix.matrix import TextUnscored, load_matrix
from features.view import FeatureView

VIEW = FeatureView("meant", ("news_meaning_0", "news_meaning_31", "news_novelty_20"))


def test_angles_are_kept_and_a_wider_model_is_taken_too() -> None:
    draw = np.random.default_rng(0)
    for width in (3, 384, 768, 1500):
        texts = draw.normal(size=(300, width)) + draw.normal(size=width)
        small = projected(texts)
        assert small.shape == (300, WIDTH)
        cosines = [
            (x[0::2] * x[1::2]).sum(axis=1)
            / (np.linalg.norm(x[0::2], axis=1) * np.linalg.norm(x[1::2], axis=1))
            for x in (texts, small)
        ]
        # Of a projection to 32 numbers the deviation of a cosine is at most 1 / sqrt(32).
        assert np.abs(cosines[0] - cosines[1]).mean() < 1 / np.sqrt(WIDTH)
    assert projected(np.empty((0, 0))).shape == (0, WIDTH)
    # Frozen: what was learnt of the columns is true of them for good.
    assert np.flatnonzero(projected(np.eye(384)[:1])[0] < 0).tolist() == NEGATIVE


NEGATIVE = [3, 7, 8, 10, 15, 16, 21, 22, 24, 25, 28]


def embed(market: Any, text: str, vector: list[float], at: datetime) -> None:
    row = {"text_hash": text, "model_version": "m-1", "vector": vector, "embedded_at": at}
    market.store.record(EMBEDDINGS, pa.Table.from_pylist([row], schema=EMBEDDINGS.schema))


def made(market: Any, cut: Cut) -> Any:
    found = load_matrix(market.store, cut, VIEW, "m-1", missing="write")
    return [row for row in found.to_pylist() if row["instrument_id"] == "SIM001"]


@pytest.mark.integration
def test_meaning_counts_when_it_was_known_and_is_no_silent_null(market: Any) -> None:
    market.load()
    cut = market.cut(market.sessions[0], market.sessions[-1])
    close = market.close_of(market.sessions[58])
    one, other = np.random.default_rng(1).normal(size=(2, 48))
    said = {"at the close": (close, one), "later": (close + timedelta(seconds=1), other)}
    for text, (at, _) in said.items():
        market.headline(at, text, 0.5)
    cut = market.cut(market.sessions[0], market.sessions[-1])
    with pytest.raises(TextUnscored, match=r"2 headlines .* training score-text --model m-1"):
        made(market, cut)
    for text, (at, vector) in said.items():
        embed(market, text, vector.tolist(), at)
    rows = made(market, cut)
    assert rows[57]["news_meaning_0"] is None
    first, second = projected(np.array([one, other]))
    assert rows[58]["news_meaning_31"] == pytest.approx(first[31], rel=1e-5)
    # The session before weighs a third less.
    mean = (second[31] + first[31] * 2 / 3) / (1 + 2 / 3)
    assert rows[59]["news_meaning_31"] == pytest.approx(mean, rel=1e-5)
    assert rows[58]["news_novelty_20"] is None, "nothing was told before"
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert rows[59]["news_novelty_20"] == pytest.approx(1 - cosine, rel=1e-5)


@pytest.mark.integration
def test_what_the_model_may_have_learnt_from_is_null_and_not_missing(market: Any) -> None:
    market.load()
    at = market.close_of(market.sessions[58])
    market.headline(at, "closed", None)
    market.score("closed", float("nan"), at)
    rows = made(market, market.cut(market.sessions[0], market.sessions[-1]))
    assert [rows[58][name] for name in VIEW.features] == [None, None, None]
