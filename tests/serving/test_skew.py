"""Skew between online and materialised features, seen by a real predictor within a minute."""

import io
import re

import httpx
import polars as pl
import pytest
from market import FLAT, STEEP, VIEW, Market
from predictor import Predictor, Start, wait_for

from contracts import objects
from contracts.cut import Cut
from contracts.store import Store
from contracts.universe import universe
from features.matrix.matrix import materialise

pytestmark = pytest.mark.integration

SNAPSHOT = 7  # of the market's forecasts


def counted(predictor: Predictor, name: str) -> dict[str, float]:
    """Label -> value of a counter, as /metrics tells it."""
    text = httpx.get(f"{predictor.url}/metrics").text
    found = re.findall(rf'^{name}(?:{{feature="(.*)"}})? (.*)$', text, re.M)
    return {label: float(value) for label, value in found}


def compared(predictor: Predictor) -> float:
    return counted(predictor, "finpulse_feature_comparisons_total")[""]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_hundredfold_unit_is_counted_within_a_minute(
    store: Store, market: Market, start: Start, workers: int
) -> None:
    market.load(store)
    sessions = market.sessions[-3:]
    cut = Cut(universe(market.universe), sessions[0], sessions[-1], SNAPSHOT)
    materialise(store, cut, VIEW)
    market.crown(store, FLAT, 1)
    predictor = start(workers=workers)
    wait_for(lambda: predictor.ready)
    once = len(market.symbols) * len(VIEW.features)
    wait_for(lambda: compared(predictor) == once, 60)
    assert counted(predictor, "finpulse_feature_skew_total") == dict.fromkeys(VIEW.features, 0.0)

    [path] = store.query("SELECT DISTINCT path FROM materialisations")["path"].to_pylist()
    frame = pl.read_parquet(objects.get(path)).with_columns(pl.col("volume_ratio_20") * 100)
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    objects.put(path, buffer.getvalue())
    market.crown(store, STEEP, 2)
    wait_for(lambda: compared(predictor) == 2 * once, 60)
    found = counted(predictor, "finpulse_feature_skew_total")
    assert found == dict.fromkeys(VIEW.features, 0.0) | {"volume_ratio_20": 3.0}
    assert predictor.ready


def test_without_a_matrix_it_serves_and_says_so(store: Store, market: Market, start: Start) -> None:
    market.load(store)
    market.crown(store, FLAT, 1)
    predictor = start()
    wait_for(lambda: "features were not compared" in predictor.log.read_text(), 60)
    assert predictor.ready and compared(predictor) == 0
