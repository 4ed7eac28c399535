"""The volatility beside the trend, out of a real ledger: newest, and as it was decided then."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import orjson
import pyarrow as pa
import pytest
from market import FLAT, Market, close_of
from starlette.testclient import TestClient

from contracts.store import Store
from contracts.tables import PREDICTIONS
from serving.app import create_app
from training.bundle import bundle
from training.bundle.manifest import Manifest

pytestmark = pytest.mark.integration

MADE_UP = "v" * 64  # a bundle that is in the ledger alone


def foretell(store: Store, market: Market, value: float, sessions: Sequence[date]) -> Manifest:
    """Let volatility_5 of SIM001 and SIM002 be foretold, by a champion that says so first."""
    like = market.prior(FLAT)
    manifest = replace(like.manifest, objective="volatility", target="volatility_5", horizon=5)
    rows = [
        row
        | dict.fromkeys(("p_down", "p_neutral", "p_up", "signal"))
        | {"bundle": MADE_UP, "target": "volatility_5", "horizon": 5, "volatility": value}
        | {"forecast": orjson.dumps({"volatility": value}).decode()}
        | {"prediction_id": f"v{row['prediction_id']}"}
        for row in market.rows(like, 9, sessions)
        if row["symbol"] != "SIM003"
    ]
    store.record(PREDICTIONS, pa.Table.from_pylist(rows, schema=PREDICTIONS.schema))
    return manifest


def test_it_is_the_newest_decided_by_then_as_the_trend_is(store: Store, market: Market) -> None:
    market.crown(store, FLAT, 1)
    before, last = market.sessions[-2:]
    manifest = foretell(store, market, 0.02, [before])
    like = market.champion(market.prior(FLAT), 9)
    market.promote(store, replace(like, bundle=MADE_UP, target="volatility_5"))

    def load(name: str) -> Any:
        return SimpleNamespace(manifest=manifest) if name == MADE_UP else bundle.load(name)

    app = create_app(store, market.universe, load)
    client, watch = TestClient(app), app.state.service.watch
    watch.poll()

    def beside(**asked: Any) -> list[Any]:
        body = {"symbols": list(market.symbols)} | asked
        rows = client.post("/predict", json=body).json()["predictions"]
        return [(row["session"], (row["volatility"] or {}).get("value")) for row in rows]

    assert beside() == [(str(last), 0.02), (str(last), 0.02), (str(last), None)]
    foretell(store, market, 0.03, [last])
    watch.poll()
    assert beside() == [(str(last), 0.03), (str(last), 0.03), (str(last), None)]
    then = close_of(before).isoformat()
    assert beside(as_of=then) == [(str(before), 0.02), (str(before), 0.02), (str(before), None)]
    early = close_of(market.sessions[-3]).isoformat()
    assert {value for _, value in beside(as_of=early)} == {None}, "nobody had foretold it yet"
    shown = client.get("/model/info?target=volatility_5").json()
    assert (shown["version"], shown["manifest"]["horizon"]) == (9, 5)
