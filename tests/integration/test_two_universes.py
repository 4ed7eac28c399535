"""Two universes on two exchanges in one database: forecast, served, settled and watched beside each
other, each by its own sessions and its own champion."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from market import FLAT, STEEP, VIEW, Market
from predictor import Predictor, starting, wait_for
from prometheus_client.parser import text_string_to_metric_families

from contracts.cut import Cut
from contracts.store import Store
from contracts.universe import universe
from features.matrix.matrix import materialise
from monitoring.export.exporter import Exporter
from monitoring.office.wake import Waker
from monitoring.truth.settlement import settle
from serving.batch import predict
from training.bundle.bundle import Bundle
from training.run.mlflow_api import Mlflow

pytestmark = pytest.mark.integration

# London rests on the first, New York on the second.
MAY_DAY, JUNETEENTH = date(2025, 5, 5), date(2025, 6, 19)
NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)
NEW_YORK = Market()
LONDON = Market("london8", "XLON", ("SIM001.XLON", "SIM002.XLON", "SIM001"))
MARKETS = (NEW_YORK, LONDON)


@pytest.fixture
def loaded(store: Store) -> Store:
    """A database with the facts of both."""
    for market in MARKETS:
        market.load(store)
    return store


@pytest.fixture
def predictor(loaded: Store, tmp_path: Path) -> Iterator[Predictor]:
    """A predictor whose own universe is that of New York, with nobody to serve yet."""
    with starting(tmp_path) as start:
        started = start()
        wait_for(lambda: started.status("/health/live") == 200)
        yield started


def crown(store: Store, market: Market, bundle: Bundle, version: int) -> None:
    """Promote a bundle that forecasts the market's newest 39 sessions by the verb's own code."""
    champion = market.promote(store, market.champion(bundle, version))
    cut = newest(store, market)
    materialise(store, cut, VIEW)
    assert predict(store, champion, bundle, cut, NOW)


def newest(store: Store, market: Market) -> Cut:
    """The newest 39 sessions of the market's universe."""
    return Cut.at(universe(market.universe), market.last, store.snapshot()).back(39)


def sessions(store: Store, market: Market, settled: bool = False) -> set[date]:
    """Those that were forecast in the market's universe, or the settled ones of them."""
    known = "JOIN outcomes USING (prediction_id)" if settled else ""
    asked = f"SELECT DISTINCT session FROM predictions {known} WHERE universe = %s"
    return set(store.query(asked, (market.universe,))["session"].to_pylist())


def ask(predictor: Predictor, *symbols: str, **more: Any) -> list[tuple[str, str, int]]:
    """Symbol, universe and version of each forecast in the answer."""
    body = {"symbols": symbols, **more}
    rows = httpx.post(f"{predictor.url}/predict", json=body).json().get("predictions", [])
    return [(row["symbol"], row["universe"], row["model_version"]) for row in rows]


def gauges(text: str, name: str, value: str) -> dict[str, Any]:
    """Universe -> a label, or the value, of the series of a metric."""
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    return {s.labels["universe"]: s.labels.get(value, s.value) for s in samples if s.name == name}


def test_each_is_served_by_its_own_champion_and_a_symbol_of_both_as_asked(
    loaded: Store, predictor: Predictor
) -> None:
    crown(loaded, NEW_YORK, NEW_YORK.prior(FLAT), 1)
    wait_for(lambda: ask(predictor, "SIM001") == [("SIM001", "sim20", 1)])
    assert not ask(predictor, "SIM001.XLON"), "nobody foretells London yet"
    crown(loaded, LONDON, LONDON.prior(FLAT), 5)
    wait_for(lambda: ask(predictor, "SIM001.XLON") == [("SIM001.XLON", "london8", 5)])
    assert ask(predictor, "SIM001") == [("SIM001", "sim20", 1)], "its own universe comes first"
    assert ask(predictor, "SIM001", universe="london8") == [("SIM001", "london8", 5)]
    both = ask(predictor, "SIM001", "SIM001.XLON")
    assert both == [("SIM001", "london8", 5), ("SIM001.XLON", "london8", 5)]
    # Another champion of one is no other champion of the other one.
    crown(loaded, LONDON, LONDON.prior(STEEP), 6)
    wait_for(lambda: ask(predictor, "SIM001.XLON") == [("SIM001.XLON", "london8", 6)])
    assert ask(predictor, "SIM001", "SIM002") == [("SIM001", "sim20", 1), ("SIM002", "sim20", 1)]
    refusal = httpx.post(
        f"{predictor.url}/predict", json={"symbols": ["SIM002", "SIM001.XLON"]}
    ).json()
    assert refusal["code"] == "no_common_universe"
    told = httpx.get(f"{predictor.url}/metrics").text
    served = gauges(told, "finpulse_serving_champion_info", "version")
    assert served == {"sim20": "1", "london8": "6"}
    assert set(gauges(told, "finpulse_serving_office_waiting", "").values()) == {0.0}
    calls = "SELECT DISTINCT universe, model_version FROM requests WHERE status = 200 ORDER BY 1, 2"
    want = [("london8", 5), ("london8", 6), ("sim20", 1)]
    wait_for(lambda: [tuple(r.values()) for r in loaded.query(calls).to_pylist()] == want)


def test_each_is_cut_settled_and_watched_by_its_own_sessions(loaded: Store) -> None:
    for version, market in enumerate(MARKETS, 1):
        crown(loaded, market, market.prior(FLAT), version)
        assert settle(loaded, newest(loaded, market), NOW)
    york, london = (sessions(loaded, market) for market in MARKETS)
    assert MAY_DAY in york - london and JUNETEENTH in london - york
    for market, forecast in zip(MARKETS, (york, london), strict=True):
        assert forecast == set(market.sessions[-39:])
        # Of the first twenty there is no volatility that barriers could be made of.
        settled = sessions(loaded, market, settled=True)
        assert set(market.sessions[-20:-1]) <= settled <= forecast - {market.last}
    assert JUNETEENTH in settled, "London's truths are of London's sessions"
    facts = "SELECT count(*) AS n FROM bars WHERE instrument_id = 'SIM001'"
    [row] = loaded.query(facts).to_pylist()
    assert row["n"] == len(NEW_YORK.sessions), "one instrument, whose facts are stored once"
    exporter = Exporter(loaded, Mlflow("http://127.0.0.1:1"), Waker(None), NEW_YORK.universe)
    exporter.look_at_tables()
    exporter.look_at_sums()
    found: dict[str, dict[str, Any]] = {}
    for family in exporter.collect():
        for sample in family.samples:
            if "universe" in sample.labels:
                found.setdefault(sample.name, {})[sample.labels["universe"]] = sample
    held = found["finpulse_champion_info"]
    assert {name: each.labels["version"] for name, each in held.items()} == {
        "sim20": "1",
        "london8": "2",
    }
    listed = found["finpulse_instruments_listed"]
    assert {name: each.value for name, each in listed.items()} == {"sim20": 3, "london8": 3}
    assert set(found["finpulse_settled_predictions"]) == {"sim20", "london8"}
