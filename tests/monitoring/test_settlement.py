"""Forecasts and their later truth, written by hand."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from market import FLAT, STEEP, Market, close_of
from typer.testing import CliRunner

from contracts import objects
from contracts.cut import Cut
from contracts.store import Store
from contracts.tables import BARS
from contracts.universe import universe
from monitoring.__main__ import app
from monitoring.truth.settlement import settle
from serving.batch import predict
from training.bundle.manifest import BundleError

pytestmark = pytest.mark.integration

NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)
DOWN, NEUTRAL, UP = 0, 1, 2
# Decided at the close of 36, entered at the open of 37; 38 and 39 end the market.
DECIDED, ENTERED = 36, 37


@pytest.fixture
def settled_market(store: Store, market: Market) -> Market:
    """SIM001 rises and SIM002 falls in the session after DECIDED; SIM003 does nothing."""
    entered = market.sessions[ENTERED]
    market.load(
        store,
        market.bar("SIM001", entered, high=0.03),
        market.bar("SIM002", entered, low=0.03),
    )
    bundle = market.prior(FLAT)
    market.promote(store, market.champion(bundle, 1))
    asked = Cut.at(universe(market.universe), market.sessions[DECIDED], store.snapshot())
    assert predict(store, market.champion(bundle, 1), bundle, asked, NOW) == 3
    return market


def run(store: Store, market: Market, place: int, snapshot: int | None = None) -> int:
    last, known = market.sessions[place], snapshot or store.snapshot()
    return settle(store, Cut.at(universe(market.universe), last, known).back(10), NOW)


def outcomes(store: Store) -> dict[str, list[dict[str, Any]]]:
    rows = store.query(
        "SELECT symbol, version, label, total_return, delisted, settled_at, o.snapshot "
        "FROM outcomes o JOIN predictions USING (prediction_id) ORDER BY symbol, version"
    ).to_pylist()
    return {
        s: [row for row in rows if row["symbol"] == s] for s in sorted({r["symbol"] for r in rows})
    }


def test_nothing_is_settled_before_its_label_matures(store: Store, settled_market: Market) -> None:
    assert run(store, settled_market, DECIDED) == 0


def test_the_truth_is_what_was_written(store: Store, settled_market: Market) -> None:
    assert run(store, settled_market, ENTERED) == 3
    truth = {symbol: rows[0] for symbol, rows in outcomes(store).items()}
    assert [truth[s]["label"] for s in settled_market.symbols] == [UP, DOWN, NEUTRAL]
    # The barrier lies half a volatility of one percent away; the dull bar closes at its open.
    returns = [truth[s]["total_return"] for s in settled_market.symbols]
    assert returns == pytest.approx([0.005, -0.005, 0.0], abs=3e-4)
    assert {row["settled_at"] for row in truth.values()} == {
        close_of(settled_market.sessions[ENTERED])
    }
    assert {row["version"] for row in truth.values()} == {1}


def test_running_twice_adds_nothing(store: Store, settled_market: Market) -> None:
    assert run(store, settled_market, ENTERED) == 3
    assert run(store, settled_market, ENTERED) == 0
    assert run(store, settled_market, ENTERED + 1) == 0


def test_a_restated_truth_is_a_second_version(store: Store, settled_market: Market) -> None:
    first = store.snapshot()
    assert run(store, settled_market, ENTERED) == 3
    entered = settled_market.sessions[ENTERED]
    restated = settled_market.bar("SIM001", entered, low=0.03)
    known = close_of(settled_market.sessions[ENTERED + 1])
    settled_market.append(store, BARS, [restated], at=known)
    assert run(store, settled_market, ENTERED) == 0, "nobody knew it then"
    assert run(store, settled_market, ENTERED + 1) == 1
    versions = outcomes(store)
    assert [(r["version"], r["label"]) for r in versions["SIM001"]] == [(1, UP), (2, DOWN)]
    assert [len(versions[s]) for s in ("SIM002", "SIM003")] == [1, 1]
    assert run(store, settled_market, ENTERED + 1) == 0
    assert run(store, settled_market, ENTERED, first) == 0, "an old snapshot knows no better"


def test_forecasts_out_of_the_window_are_left_alone(store: Store, settled_market: Market) -> None:
    last, known = settled_market.sessions[39], store.snapshot()
    asked = Cut.at(universe(settled_market.universe), last, known).back(2)
    assert settle(store, asked, NOW) == 0


def test_the_verb_ends_with_the_number_of_rows(store: Store, settled_market: Market) -> None:
    options = ["settle", "--session", str(settled_market.sessions[ENTERED])]
    options += ["--snapshot", str(store.snapshot())]
    for expected in ("3", "0"):
        done = CliRunner().invoke(app, options, catch_exceptions=False)
        assert done.stdout.splitlines()[-1] == expected


def test_the_truth_of_a_number_is_its_value_and_of_a_class_its_label(
    store: Store, settled_market: Market
) -> None:
    volatile = settled_market.times(1.0)
    decided = settled_market.sessions[30]
    asked = Cut.at(universe(settled_market.universe), decided, store.snapshot())
    assert predict(store, settled_market.champion(volatile, 1), volatile, asked, NOW) == 3
    assert run(store, settled_market, 34) == 0, "five sessions have not gone by"
    assert run(store, settled_market, 39) == 3 + 3
    found = store.query(
        "SELECT target, label, value, symbol FROM outcomes JOIN predictions USING (prediction_id)"
    ).to_pylist()
    for row in found:
        assert (row["label"] is None) == (row["target"] == "volatility_5")
        assert (row["value"] is None) == (row["target"] == "trend_1")
    # Closes of 100 and 101 by turns, bars that hardly move: every night is one percent.
    values = [row["value"] for row in found if row["value"] is not None]
    assert len(values) == 3 and values == pytest.approx([np.log(1.01)] * 3, rel=0.2)
    assert run(store, settled_market, 39) == 0


def test_what_cannot_be_settled_is_named_and_stops_no_other(
    store: Store, settled_market: Market
) -> None:
    gone = settled_market.prior(STEEP)
    decided = settled_market.sessions[DECIDED]
    asked = Cut.at(universe(settled_market.universe), decided, store.snapshot())
    assert predict(store, settled_market.champion(gone, 2), gone, asked, NOW) == 3
    manifest = f"bundles/{gone.hash}/manifest.json"
    kept = objects.get(manifest)
    objects.remove(manifest)
    options = ["settle", "--session", str(settled_market.sessions[ENTERED])]
    options += ["--snapshot", str(store.snapshot())]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 1 and isinstance(done.exception, BundleError)
    assert f"forecasts of trend_1 by {gone.hash[:12]}: " in done.stderr
    assert store.query("SELECT * FROM outcomes").num_rows == 3
    objects.put(manifest, kept)
    assert CliRunner().invoke(app, options).stdout.splitlines()[-1] == "3"
