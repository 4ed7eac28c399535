"""Several universes and targets served by one predictor, from states held in memory."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from line_ups import offices, trend, volatility
from market import FIRST, Market
from starlette.testclient import TestClient

from contracts.store import Store
from serving.app import create_app
from serving.served.state import Seat

NOWHERE = Store("postgresql://nobody@127.0.0.1:1/nothing")
ELSEWHERE = Market("london8", "XLON", ("SIM001.XLON", "SIM001"))


@pytest.fixture
def app(market: Market) -> FastAPI:
    """A predictor of sim20 before its first look at the ledger."""
    return create_app(NOWHERE, market.universe)


@pytest.fixture
def several(app: FastAPI, market: Market) -> TestClient:
    """Two universes that share SIM001: the first forecast over one and five sessions, with a
    volatility beside SIM001 and SIM002; the second its trend alone."""
    app.state.service.watch.state = offices(
        *(trend(market, 3), trend(market, 4, 5), trend(ELSEWHERE, 5)),
        volatility(market, 6, 5, 0.05, "SIM001"),
        volatility(market, 7, 20, 0.2, "SIM001", "SIM002"),
    )
    return TestClient(app)


@pytest.mark.parametrize(
    ("asked", "universe", "version"),
    [
        ({"symbol": "SIM001"}, "sim20", 3),
        ({"symbol": "SIM001", "universe": "london8"}, "london8", 5),
        ({"symbol": "SIM001.XLON"}, "london8", 5),
        ({"symbols": ["SIM001.XLON", "SIM001"]}, "london8", 5),
        ({"symbols": ["SIM001", "SIM002"], "horizon": 5}, "sim20", 4),
        ({"symbol": "SIM001", "universe": "sim20", "horizon": 1}, "sim20", 3),
    ],
)
def test_a_symbol_is_answered_for_the_universe_asked_or_the_first_that_holds_it(
    several: TestClient, asked: dict[str, Any], universe: str, version: int
) -> None:
    rows = several.post("/predict", json=asked).json()["predictions"]
    assert [row["symbol"] for row in rows] == (asked.get("symbols") or [asked["symbol"]])
    assert {(row["universe"], row["model_version"]) for row in rows} == {(universe, version)}
    assert {row["horizon"] for row in rows} == {asked.get("horizon", 1)}
    assert {row["target"] for row in rows} == {f"trend_{asked.get('horizon', 1)}"}


@pytest.mark.parametrize(
    ("asked", "status", "code", "told"),
    [
        ({"symbols": ["SIM002", "SIM001.XLON"]}, 404, "no_common_universe", "SIM002 is held by s"),
        ({"symbol": "SIM002", "universe": "london8"}, 404, "unknown_symbol", "sim20 holds SIM002"),
        ({"symbol": "XXX"}, 404, "unknown_symbol", "'sim20' has 3 and 'london8' has 2 symbols"),
        ({"symbol": "SIM001", "universe": "paris"}, 404, "unknown_universe", "sim20, london8"),
        ({"symbol": "SIM001", "horizon": 20}, 422, "unknown_horizon", "ask for 1 or 5"),
        (
            {"symbol": "SIM001", "universe": "london8", "horizon": 5},
            *(422, "unknown_horizon", "london8 is forecast over a horizon of 1"),
        ),
        ({"symbol": "SIM001", "universe": ""}, 422, "invalid_request", "universe"),
    ],
)
def test_a_refusal_names_who_holds_what(
    several: TestClient, asked: dict[str, Any], status: int, code: str, told: str
) -> None:
    answer = several.post("/predict", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert told in answer.json()["message"]


def test_what_one_universe_lacks_is_said_beside_what_it_holds(several: TestClient) -> None:
    body = {"symbols": ["SIM001", "SIM002", "XXX"], "universe": "london8"}
    found = several.post("/predict", json=body).json()
    assert [row["universe"] for row in found["predictions"]] == ["london8"]
    told = {row["symbol"]: row["message"] for row in found["missing"]}
    assert "sim20 holds SIM002" in told["SIM002"] and "XXX" in told["XXX"]
    # Nobody holds XXX: of the others it is asked who holds them all.
    found = several.post("/predict", json={"symbols": ["SIM001.XLON", "XXX", "SIM001"]}).json()
    assert {row["universe"] for row in found["predictions"]} == {"london8"}
    mixed = several.post("/predict", json={"symbols": ["SIM001.XLON", "XXX", "SIM002"]})
    assert mixed.status_code == 404


def test_the_volatility_stands_beside_the_trend_where_somebody_foretells_it(
    several: TestClient,
) -> None:
    def beside(**asked: Any) -> list[Any]:
        rows = several.post("/predict", json=asked).json()["predictions"]
        return [
            each and (each["value"], each["target"], each["model_version"])
            for each in (row["volatility"] for row in rows)
        ]

    symbols = ["SIM001", "SIM002", "SIM003"]
    short, long = (0.05, "volatility_5", 6), (0.2, "volatility_20", 7)
    assert beside(symbols=symbols) == [short, long, None]
    assert beside(symbols=symbols, horizon=5) == [short, long, None]
    assert beside(symbol="SIM001", universe="london8") == [None]
    at = "2025-06-30T20:00:00Z"
    assert beside(symbol="SIM001", as_of=at) == [short], "both were decided by then"


def test_a_universe_without_a_trend_answers_with_what_it_has(app: FastAPI, market: Market) -> None:
    alone = volatility(market, 1, 20, 0.2, *FIRST), volatility(market, 2, 5, 0.05, "SIM001")
    app.state.service.watch.state = offices(*alone)
    client = TestClient(app)
    [row] = client.get("/predict/SIM001").json()["predictions"]
    assert (row["p_down"], row["p_neutral"], row["p_up"], row["signal"]) == (None,) * 4
    assert (row["target"], row["horizon"], row["volatility"]["value"]) == ("volatility_5", 5, 0.05)
    [row] = client.get("/predict/SIM002?horizon=20").json()["predictions"]
    assert (row["target"], row["volatility"]["value"]) == ("volatility_20", 0.2)


def test_assets_and_model_tell_of_the_office_asked_for(several: TestClient) -> None:
    assets = several.get("/assets").json()
    assert (assets["universe"], assets["target"]) == ("sim20", "trend_1")
    assert assets["universes"] == ["sim20", "london8"]
    other = several.get("/assets?universe=london8").json()
    assert [row["symbol"] for row in other["assets"]] == ["SIM001", "SIM001.XLON"]
    few = several.get("/assets?target=volatility_5").json()
    assert [row["symbol"] for row in few["assets"]] == ["SIM001"]
    info = several.get("/model/info?universe=sim20&target=volatility_20").json()
    assert (info["version"], info["manifest"]["horizon"]) == (7, 20)
    served = [(each["universe"], each["target"], each["version"]) for each in info["offices"]]
    assert ("london8", "trend_1", 5) in served and len(served) == 5
    unknown = several.get("/model/info?universe=london8&target=volatility_5").json()
    assert unknown["code"] == "unknown_target" and "trend_1" in unknown["message"]
    assert several.get("/assets?universe=paris").json()["code"] == "unknown_universe"


def test_an_office_that_waits_is_told_and_keeps_nobody_else(app: FastAPI, market: Market) -> None:
    view, waiting = trend(market, 3), trend(ELSEWHERE, 5).champion
    state = offices(view)
    seats = {**state.seats, waiting.office: Seat(waiting, None, "no forecasts yet")}
    app.state.service.watch.state = replace(state, seats=seats)
    client = TestClient(app)
    assert client.get("/predict/SIM001").status_code == 200
    assert client.get("/health/ready").json()["waiting"] == {"london8/trend_1": "no forecasts yet"}
    for path in ("/predict/SIM001?universe=london8", "/model/info?universe=london8"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "no_champion")
        assert "no forecasts yet" in answer.json()["message"]


def test_the_table_of_calls_is_told_whose_champion_answered(
    several: TestClient, app: FastAPI
) -> None:
    kept: list[Any] = []
    app.state.service.journal.add = kept.append
    for path in ("/predict/SIM001.XLON", "/predict/SIM001", "/assets?universe=london8"):
        several.get(path)
    assert [(call.universe, call.model_version) for call in kept] == [
        ("london8", 5),
        ("sim20", 3),
        ("london8", None),
    ]
