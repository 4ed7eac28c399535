"""A sequence of minutes ends with its session: in features, in training and in serving alike."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from market import MANIFEST, Market, close_of

from contracts.cut import Cut
from contracts.store import Store
from contracts.tables import BARS
from contracts.time.calendar import session_open
from contracts.universe import universe
from features.matrix.matrix import load_matrix
from features.view import view
from serving.batch import predict
from training.bundle.bundle import Bundle, save
from training.experts.lstm import Lstm
from training.forecast import Classes
from training.samples.samples import Samples, from_matrix

pytestmark = pytest.mark.integration

# Labels need thirty minutes before them: longer sequences reach the first minute.
VIEW, WINDOW, MINUTES, DAYS = view("minute_3"), 40, 90, 4
NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)


def load_minutes(store: Store, market: Market) -> list[date]:
    """Sessions of minutes, known at their ends; the third symbol misses one session in ten."""
    market.load(store)
    draw, rows, days = np.random.default_rng(4), [], list(market.sessions[-DAYS:])
    for day in days:
        for symbol in market.symbols:
            start, price = session_open("XNYS", day), 100.0
            for minute in range(MINUTES):
                price *= float(np.exp(draw.normal(0, 0.001)))
                if symbol == market.symbols[-1] and draw.random() < 0.1:
                    continue
                closed = start + timedelta(minutes=minute + 1)
                bar = market.bar(symbol, day) | {"interval": "1m", "event_time": closed}
                bar |= {"start_time": closed - timedelta(minutes=1), "known_at": closed}
                bar |= {"open": price, "high": price * 1.001, "low": price * 0.999, "close": price}
                rows.append(bar | {"volume": 100.0 + minute})
    market.append(store, BARS, rows)
    return days


def gathered(store: Store, market: Market, first: date, last: date) -> Samples:
    cut = Cut(universe(market.universe), first, last, store.snapshot())
    return from_matrix(load_matrix(store, cut, VIEW, missing="write"))


def packed(expert: Lstm, samples: Samples, until: date) -> tuple[Bundle, np.ndarray]:
    """A bundle of the expert, trained on all samples, and what it says to them."""
    model = expert.fit(samples, Classes())
    windows = samples.windows(expert.window)
    manifest = replace(
        MANIFEST,
        expert=expert.name,
        view=VIEW.name,
        view_hash=VIEW.hash,
        features=VIEW.features,
        horizon=VIEW.label.horizon,
        window=expert.window,
        as_of=close_of(until),
    )
    return save(manifest, model.files(), windows), model.forecast(windows)


def test_training_and_serving_give_a_minute_the_same_sequence(store: Store, market: Market) -> None:
    days = load_minutes(store, market)
    samples = gathered(store, market, days[0], days[-1])
    expert = Lstm(window=WINDOW, epochs=1, batch=64)
    bundle, said = packed(expert, samples, days[-2])

    cut = Cut.at(universe(market.universe), days[-1], store.snapshot())
    assert predict(store, market.champion(bundle, 1), bundle, cut, NOW) > 2 * MINUTES
    rows = store.query("SELECT * FROM predictions").to_pylist()
    served = {(row["instrument_id"], row["as_of"]): row["p_up"] for row in rows}
    assert {row["session"] for row in rows} == {days[-1]}
    newest = np.flatnonzero(samples.sessions == np.datetime64(days[-1]))
    moments = samples.as_of[newest].astype("datetime64[us]").tolist()
    found = [
        served[name, moment.replace(tzinfo=UTC)]
        for name, moment in zip(samples.instruments[newest].tolist(), moments, strict=True)
    ]
    assert len(found) > MINUTES
    np.testing.assert_allclose(found, said[newest, 2], atol=1e-5)


def test_no_sequence_of_minutes_holds_one_of_another_session(store: Store, market: Market) -> None:
    days = load_minutes(store, market)
    samples = gathered(store, market, days[0], days[-1])
    alone = gathered(store, market, days[-1], days[-1])
    newest = samples.take(samples.sessions == np.datetime64(days[-1]))
    np.testing.assert_array_equal(newest.as_of, alone.as_of)
    np.testing.assert_array_equal(newest.windows(WINDOW), alone.windows(WINDOW))
    place = VIEW.features.index("session_position")
    gone = newest.windows(WINDOW)[:, :, place]
    falls = np.diff(gone, axis=1)
    assert (falls[~np.isnan(falls)] > 0).all(), "within a session its position only grows"
    assert np.isnan(gone[:, 0]).any() and not np.isnan(gone[:, -1]).any()
