"""One symbol by all champions, and all symbols by one; in words, too."""

import pytest
from fastapi import FastAPI
from line_ups import offices, trend, volatility
from market import FLAT, STEEP, Market
from starlette.testclient import TestClient
from typer.testing import CliRunner

from contracts.store import Store
from serving.__main__ import app as verbs
from serving.app import create_app

NOWHERE = Store("postgresql://nobody@127.0.0.1:1/nothing")


@pytest.fixture
def client(market: Market) -> TestClient:
    """A trend over one and five sessions of three symbols, a volatility of two."""
    app: FastAPI = create_app(NOWHERE, market.universe)
    app.state.service.watch.state = offices(
        *(trend(market, 3), trend(market, 4, 5)),
        volatility(market, 6, 5, 0.05, "SIM001", "SIM002"),
    )
    return TestClient(app)


def test_a_symbol_is_analysed_by_every_champion(client: TestClient) -> None:
    found = client.get("/analysis/SIM001").json()
    assert [(f["objective"], f["horizon"]) for f in found["forecasts"]] == [
        ("trend", 1),
        ("trend", 5),
        ("volatility", 5),
    ]
    assert found["forecasts"][2]["says"] == {"value": 0.05}
    assert set(found["forecasts"][0]["says"]) == {"p_down", "p_neutral", "p_up", "signal"}
    assert found["universe"] == "sim20" and found["data_age_seconds"] > 0
    without = client.get("/analysis/SIM003").json()["forecasts"]
    assert {f["objective"] for f in without} == {"trend"}
    assert client.get("/analysis/SIM999").json()["code"] == "unknown_symbol"
    assert client.get("/analysis/SIM001?universe=mars").json()["code"] == "unknown_universe"


def test_symbols_are_ranked_by_a_number_of_their_forecasts(client: TestClient) -> None:
    found = client.get("/ranking/sim20").json()
    assert [row["symbol"] for row in found["ranking"]] == ["SIM001", "SIM002", "SIM003"]
    assert [row["rank"] for row in found["ranking"]] == [1, 2, 3] and found["older"] == []
    asked = "/ranking/sim20?target=volatility_5&limit=1"
    assert client.get(asked).json()["ranking"][0]["value"] == pytest.approx(0.05)
    by = client.get("/ranking/sim20?by=p_up").json()["ranking"][0]
    assert by["value"] == pytest.approx(
        client.get("/predict/SIM001").json()["predictions"][0]["p_up"]
    )
    refused = client.get("/ranking/sim20?by=luck")
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_number")
    assert "p_down, p_neutral, p_up" in refused.json()["message"]
    assert client.get("/ranking/mars").json()["code"] == "unknown_universe"
    assert client.get("/ranking/sim20?target=none").json()["code"] == "unknown_target"


@pytest.mark.integration
def test_the_order_is_that_of_the_newest_session(store: Store, market: Market) -> None:
    up, flat = market.prior(STEEP), market.prior(FLAT)
    market.forecast(store, flat, 1, market.sessions[-3:-1])
    market.promote(store, market.champion(flat, 1))
    app = create_app(store, market.universe)
    app.state.service.watch.poll()
    client = TestClient(app)
    assert client.get("/ranking/sim20").json()["session"] == str(market.sessions[-2])
    market.forecast(store, up, 2, market.sessions[-1:])
    market.promote(store, market.champion(up, 2))
    app.state.service.watch.poll()
    found = client.get("/ranking/sim20").json()
    assert found["session"] == str(market.last)
    assert {round(row["value"], 6) for row in found["ranking"]} == {0.6}


@pytest.mark.integration
def test_a_person_may_ask_at_a_terminal(
    store: Store, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.crown(store, STEEP, 7)
    asked = CliRunner().invoke(verbs, ["ask", "SIM002"])
    assert asked.exit_code == 0, asked.output
    assert "SIM002 in sim20" in asked.output
    assert "trend_1: p_down 10.00%  p_neutral 20.00%  p_up 70.00%  signal buy" in asked.output
    assert "by version 7" in asked.output
    unknown = CliRunner().invoke(verbs, ["ask", "SIM999"])
    assert unknown.exit_code == 1
    assert "has a forecast of 'SIM999'" in str(unknown.exception)
