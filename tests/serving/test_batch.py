"""The verb `predict`: what it writes into the ledger, from facts written by hand."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import orjson
import pytest
from market import FLAT, STEEP, VIEW, Market, close_of
from typer.testing import CliRunner

from contracts.cut import Cut
from contracts.store import Store
from contracts.time.calendar import last_sessions
from contracts.universe import universe
from features.matrix.matrix import load_matrix
from features.target import target
from features.view import view
from serving.__main__ import app
from serving.batch import predict
from training.bundle.bundle import Bundle
from training.bundle.manifest import BundleError, ViewChanged
from training.forecast import Touches

pytestmark = pytest.mark.integration

NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)


def run(store: Store, market: Market, bundle: Bundle, place: int = -1, catch_up: int = 5) -> int:
    session = market.sessions[place]
    asked = Cut.at(universe(market.universe), session, store.snapshot()).back(catch_up)
    return predict(store, market.champion(bundle, 1), bundle, asked, NOW)


def issued(store: Store) -> list[dict[str, Any]]:
    return store.query("SELECT * FROM predictions ORDER BY session, symbol").to_pylist()


def test_missed_sessions_are_caught_up_and_a_repeat_adds_nothing(
    store: Store, market: Market
) -> None:
    market.load(store)
    bundle = market.prior(FLAT)
    assert run(store, market, bundle, -2, catch_up=1) == 3
    assert run(store, market, bundle, -1, catch_up=1) == 3
    assert run(store, market, bundle) == 0, "before its first matrix a universe has no gaps"
    rows = issued(store)
    assert [row["session"] for row in rows[::3]] == list(market.sessions[-2:])
    assert {row["as_of"] for row in rows[3:]} == {close_of(market.last)}
    assert (rows[0]["p_down"], rows[0]["p_up"]) == pytest.approx((0.3, 0.3))
    assert {row["origin"] for row in rows} == {"live"}


def test_a_new_champion_forecasts_the_sessions_before_it_took_office(
    store: Store, market: Market
) -> None:
    market.load(store)
    run(store, market, market.prior(FLAT), -10, catch_up=1)
    assert run(store, market, market.prior(STEEP), -1, catch_up=4) == 4 * 3
    origins = [row["origin"] for row in issued(store) if row["p_up"] > 0.5]
    assert origins == ["backfill"] * 9 + ["live"] * 3


def test_what_a_bundle_was_trained_on_is_never_forecast(store: Store, market: Market) -> None:
    market.load(store)
    trained_until = close_of(market.sessions[-2])
    bundle = market.prior(FLAT, as_of=trained_until)
    run(store, market, market.prior(STEEP), -10, catch_up=1)
    assert run(store, market, bundle, -1, catch_up=5) == 2 * 3
    assert run(store, market, bundle, -4, catch_up=5) == 0
    forecast = {row["session"] for row in issued(store) if row["bundle"] == bundle.hash}
    assert min(forecast) == market.sessions[-2]


def test_a_bundle_of_another_view_is_refused(store: Store, market: Market) -> None:
    market.load(store)
    with pytest.raises(ViewChanged, match=f"the code has {VIEW.hash}"):
        run(store, market, market.prior(FLAT, view_hash="0" * 16))


def test_values_of_another_unit_are_refused(store: Store, market: Market) -> None:
    market.load(store)
    cut = Cut.at(universe(market.universe), market.last, store.snapshot()).back(10)
    matrix = load_matrix(store, cut, VIEW, missing="write")
    names = market.prior(FLAT).manifest.features
    values = np.column_stack([matrix[name].to_numpy() for name in names]).astype(np.float32)
    percent = values.copy()
    percent[:, 0] *= 100
    with pytest.raises(BundleError, match=f"{names[0]} is 0.01 times as large as in training"):
        run(store, market, market.prior(FLAT, percent), catch_up=10)
    assert issued(store) == []
    assert run(store, market, market.prior(FLAT, values), catch_up=10) == 30


def test_the_verb_ends_with_the_number_of_rows(store: Store, market: Market) -> None:
    market.load(store)
    options = ["predict", "--session", str(market.last), "--snapshot", str(store.snapshot())]
    before = CliRunner().invoke(app, options)
    assert (before.exit_code, before.stdout.splitlines()[-1]) == (0, "0")
    bundle = market.prior(FLAT)
    market.promote(store, market.champion(bundle, 1))
    for expected in ("3", "0"):
        done = CliRunner().invoke(app, [*options, "--catch-up", "1"], catch_exceptions=False)
        assert done.stdout.splitlines()[-1] == expected
    assert date.fromisoformat(str(issued(store)[0]["session"])) == market.last


def test_an_answer_keeps_the_close_and_the_distances_that_its_prices_are_made_of(
    store: Store, market: Market
) -> None:
    market.__dict__["sessions"] = list(last_sessions("XNYS", market.last, 90))
    market.load(store)
    chosen, asked = view("daily_6"), target("levels_5")
    bundle = market.prior(
        (0.4, 0.3, 0.2, 0.1),
        **{"view": chosen.name, "view_hash": chosen.hash, "features": chosen.features},
        **{"objective": "levels", "target": asked.name, "label": asked.label.name},
        **{"head": Touches(), "horizon": 5},
    )
    assert run(store, market, bundle, catch_up=1) == 3
    closes = {
        row["instrument_id"]: row["close"]
        for row in store.query(
            "SELECT instrument_id, close FROM bars WHERE session = %s", (market.last,)
        ).to_pylist()
    }
    for row in issued(store):
        kept = orjson.loads(row["forecast"])
        assert kept["close"] == pytest.approx(closes[row["instrument_id"]])
        told = bundle.manifest.asked.answer(row | kept)
        assert told["support"] < kept["close"] < told["resistance"]
        assert told["support"] == pytest.approx(
            kept["close"] * np.exp(-kept["support_distance_60"])
        )
        assert (told["p_support"], told["p_resistance"]) == pytest.approx((0.4, 0.3))
