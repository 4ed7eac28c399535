"""What texts mean moves: found where a topic comes up, quiet where nothing does."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from market import VIEW, Market, close_of

from contracts.cut import Cut
from contracts.store import Store
from contracts.tables import EMBEDDINGS, HEADLINE_SYMBOLS, HEADLINES
from contracts.universe import universe
from monitoring.drift.mmd import mmd
from monitoring.drift_test import DRIFT_TESTS
from monitoring.family import FAMILIES
from monitoring.feature_drift import meaning_scores, threshold
from monitoring.meaning import meanings

TEST, WIDTH = DRIFT_TESTS.get("mmd"), 32
# Sessions within which a topic stays in the news.
MEMORY = 5


def told(seed: int, sessions: int = 500, moved: float = 0.0) -> np.ndarray:
    """What sessions mean: topics that come and go by themselves, and from session 460 on one more.

    moved: how far it turns them, in deviations of a session along each number.
    """
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=(sessions + MEMORY, WIDTH)) @ draw.normal(size=(WIDTH, WIDTH))
    lasting = np.stack([noise[i : i + sessions] for i in range(MEMORY)]).mean(axis=0)
    lasting /= lasting.std(axis=0)
    lasting[460:] += moved * np.sign(draw.normal(size=WIDTH))
    return lasting


def alarm(values: np.ndarray) -> bool:
    days = np.arange(400).astype("datetime64[D]")
    return TEST.score(values[:400], values[460:]) > threshold(TEST, values[:400], days, 40, MEMORY)


@pytest.mark.slow
def test_a_topic_that_comes_up_is_found_and_stationary_texts_raise_no_alarm() -> None:
    quiet = sum(alarm(told(seed)) for seed in range(40))
    # One in a hundred is stated: three or more of forty come by chance in 7 of 1,000 cases.
    assert quiet <= 2
    assert sum(alarm(told(seed, moved=1.0)) for seed in range(10)) == 10


def test_it_is_the_estimate_by_hand() -> None:
    draw = np.random.default_rng(1)
    one, other = draw.normal(size=(7, 2)), draw.normal(0.8, 2.0, (5, 2))
    mean, spread = one.mean(axis=0), one.std(axis=0)
    x, y = (one - mean) / spread, (other - mean) / spread
    squares = [((x[i] - x[j]) ** 2).sum() for i in range(7) for j in range(i)]

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-((a - b) ** 2).sum() / np.median(squares)))

    pairs = [np.mean([k(a, b) for a in s for b in t]) for s, t in ((x, x), (y, y), (x, y))]
    assert mmd(one, other) == pytest.approx(np.sqrt(pairs[0] + pairs[1] - 2 * pairs[2]))


def test_two_numbers_that_move_together_are_seen_where_each_alone_stays() -> None:
    draw = np.random.default_rng(2)
    one, other = (draw.multivariate_normal([0, 0], [[1, r], [r, 1]], 800) for r in (0.9, -0.9))
    alone = max(mmd(one[:, i], other[:, i]) for i in range(2))
    assert alone < TEST.threshold < mmd(one, other)


def tell(store: Store, market: Market, topics: np.ndarray) -> None:
    """Four headlines per session, embedded by one model; topics: what each session's mean."""
    draw, rows, vectors = np.random.default_rng(3), [], []
    for session, topic in zip(market.sessions, topics, strict=True):
        at = close_of(session) - timedelta(hours=1)
        for place in range(4):
            name = f"{session} {place}"
            rows.append({"source": "simulated", "native_id": name, "event_time": at, "url": None})
            rows[-1] |= {"text": name, "text_hash": name, "known_at": at}
            rows[-1] |= {"instrument_id": market.symbols[place % len(market.symbols)]}
            vector = (topic + draw.normal(0, 0.3, len(topic))).tolist()
            vectors.append({"text_hash": name, "model_version": "m-1", "embedded_at": at})
            vectors[-1] |= {"vector": vector}
    for table in (HEADLINES, HEADLINE_SYMBOLS):
        market.append(store, table, [{n: row[n] for n in table.names} for row in rows])
    store.record(EMBEDDINGS, pa.Table.from_pylist(vectors, schema=EMBEDDINGS.schema))


@pytest.mark.integration
def test_the_topic_of_the_newest_sessions_is_found_in_the_store(
    store: Store, market: Market
) -> None:
    market.load(store)
    draw = np.random.default_rng(4)
    topics = draw.normal(0, 0.05, (len(market.sessions), 48))
    topics[-5:] += np.where(np.arange(48) < 24, 0.4, 0.0)
    tell(store, market, topics)
    snapshot = store.snapshot()
    cut = Cut.at(universe(market.universe), market.last, snapshot)
    before = Cut.at(universe(market.universe), market.sessions[-6], snapshot)
    window = before.since(market.sessions[3])
    days, values = meanings(store, window, "m-1")
    assert days.tolist() == market.sessions[3:-5]
    assert values.shape == (len(days), WIDTH)
    [found] = meaning_scores(store, window, cut.back(5), "m-1")
    assert (found["test"], found["feature"], found["alarm"]) == ("mmd", "meaning", True)
    older = Cut.at(universe(market.universe), market.sessions[-11], snapshot)
    earlier = older.since(market.sessions[3])
    [quiet] = meaning_scores(store, earlier, before.back(5), "m-1")
    assert not quiet["alarm"]
    assert meaning_scores(store, window, cut.back(5), "m-2") == [], "a model that embedded nothing"


@pytest.mark.integration
def test_the_alarm_family_sees_the_topic_session_by_session(store: Store, market: Market) -> None:
    market.load(store)
    topics = np.random.default_rng(4).normal(0, 0.05, (len(market.sessions), 48))
    topics[-5:] += np.where(np.arange(48) < 24, 0.4, 0.0)
    tell(store, market, topics)
    whole = Cut.at(universe(market.universe), market.last, store.snapshot())
    spans = (
        whole.since(market.sessions[3]).until(market.sessions[20]),
        whole.since(market.sessions[21]),
    )
    about: Any = SimpleNamespace(store=store, spans=spans, text_model="m-1")
    about.bundle = SimpleNamespace(manifest=SimpleNamespace(view=VIEW.name))
    about.before = lambda days, _least: int(np.searchsorted(days, np.datetime64(spans[1].first)))
    family = FAMILIES.get("embeddings")
    track = family.track(about)
    assert track is not None and track.sessions.tolist() == market.sessions[3:]
    usual, moved = track.values[:-5], track.values[-5:]
    assert moved.min() > usual.max() + usual.std()
    # Who reads no texts, and whose model embeds nothing, has no such numbers.
    about.text_model = "m-2"
    assert family.track(about) is None
    about.text_model = ""
    assert family.track(about) is None
