"""What a forecast rests on: written down with it, told by its id, and adding up to it."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from market import FLAT, MANIFEST, VIEW, Market
from starlette.testclient import TestClient

from contracts.cut import Cut
from contracts.store import Store
from contracts.tables import PREDICTIONS
from contracts.universe import universe
from serving import batch
from serving.app import create_app
from serving.served.explained import SHOWN
from training.bundle.bundle import Bundle, save
from training.bundle.models.constant import Constant
from training.bundle.models.linear import Linear
from training.bundle.models.together import Together
from training.bundle.scaler import Scaler
from training.forecast import Classes

pytestmark = pytest.mark.integration

NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)


def linear(seed: int) -> Linear:
    random, k = np.random.default_rng(seed), len(VIEW.features)
    golden = random.normal(size=(50, k)).astype(np.float32)
    weights, own = random.normal(size=(3, k)), random.normal(size=3)
    return Linear(Scaler.fit(golden), weights / k, own, Classes(3))


def kept(*members: Any) -> Bundle:
    """A champion of the members together."""
    named = {f"expert_{i}": member for i, member in enumerate(members)}
    golden = np.random.default_rng(0).normal(size=(50, len(VIEW.features))).astype(np.float32)
    return save(MANIFEST, Together("soft", {}, named, Classes(3)).files(), golden)


@pytest.fixture
def client(store: Store, market: Market, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A predictor whose champion forecast the newest session and missed the two before."""
    monkeypatch.setattr("training.bundle.bundle.require_same_units", lambda *_: None)
    market.load(store)
    prior, first = market.prior(FLAT), cut(store, market, 3).first
    began = Cut.at(universe(market.universe), first, store.snapshot())
    batch.predict(store, market.champion(prior, 1), prior, began, NOW)
    champion = kept(linear(1), Constant(np.array([0.2, 0.5, 0.3]), Classes(3)), linear(2))
    held = market.promote(store, market.champion(champion, 2))
    batch.predict(store, held, champion, cut(store, market, 3), NOW)
    app = create_app(store, market.universe)
    app.state.service.watch.poll()
    return TestClient(app)


def cut(store: Store, market: Market, back: int) -> Cut:
    about = universe(market.universe)
    return Cut.at(about, market.last, store.snapshot()).back(back)


def test_parts_add_up_to_the_answer(client: TestClient) -> None:
    row = client.get("/predict/SIM001").json()["predictions"][0]
    found = client.get(f"/explain/{row['prediction_id']}").json()
    assert (found["symbol"], found["model_version"]) == ("SIM001", 2)
    # A model that says the same to everything has no reasons.
    assert [part["model"] for part in found["parts"]] == ["expert_0", "expert_2"]
    answers = [np.array([0.2, 0.5, 0.3])]
    for part in found["parts"]:
        assert (part["method"], part["scale"]) == ("terms", "scores")
        totals = []
        for column in ("p_down", "p_neutral", "p_up"):
            said = part["said"][column]
            assert len(said["features"]) <= SHOWN
            added = said["base"] + sum(said["features"].values()) + said["rest"]
            assert added == pytest.approx(said["total"], abs=1e-9)
            totals.append(said["total"])
        answers.append(np.exp(totals) / np.exp(totals).sum())
    expected = [row[column] for column in ("p_down", "p_neutral", "p_up")]
    np.testing.assert_allclose(np.mean(answers, axis=0), expected, atol=1e-6)
    told = [said for part in found["parts"] for said in part["said"].values()]
    shown = {name for said in told for name in said["features"]}
    assert set(found["given"]) == shown
    assert all(name.startswith("news") or "tone" in name for name in found["news"])


def test_what_is_not_kept_is_said(client: TestClient, store: Store) -> None:
    assert client.get(f"/explain/{'0' * 32}").json()["code"] == "unknown_prediction"
    assert client.get("/explain/nonsense").status_code == 422
    rows = store.query("SELECT * FROM predictions WHERE model_version = 2").to_pylist()
    assert {row["origin"] for row in rows} == {"live", "backfill"}
    for row in rows:
        answer = client.get(f"/explain/{row['prediction_id']}")
        assert answer.status_code == (200 if row["origin"] == "live" else 404)
        if row["origin"] != "live":
            assert answer.json()["code"] == "no_explanation"


def test_a_champion_without_reasons_is_forecast_all_the_same(store: Store, market: Market) -> None:
    market.load(store)
    prior = market.prior(FLAT)
    assert batch.predict(store, market.champion(prior, 1), prior, cut(store, market, 1), NOW) == 3
    assert store.query("SELECT * FROM explanations").num_rows == 0


def test_killed_between_the_two_it_writes_each_once(
    store: Store, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.bundle.bundle.require_same_units", lambda *_: None)
    market.load(store)
    champion, once = kept(linear(3)), store.record
    held = market.champion(champion, 1)

    def dies(table: Any, frame: pa.Table) -> int:
        if table is PREDICTIONS:
            raise KeyboardInterrupt
        return once(table, frame)

    monkeypatch.setattr(store, "record", dies)
    with pytest.raises(KeyboardInterrupt):
        batch.predict(store, held, champion, cut(store, market, 1), NOW)
    monkeypatch.setattr(store, "record", once)
    assert batch.predict(store, held, champion, cut(store, market, 1), NOW) == 3
    both = "SELECT count(*) AS n FROM predictions JOIN explanations USING (prediction_id)"
    assert store.query(both)["n"].to_pylist() == [3]
