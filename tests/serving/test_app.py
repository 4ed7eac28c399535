"""The API's answers and refusals, from a view held in memory: no database."""

import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from line_ups import served_rows
from market import VIEW, Market
from starlette.testclient import TestClient

from contracts.store import Store
from serving.app import create_app
from serving.served.served import View
from serving.served.state import Seat, State, arranged

NOWHERE = Store("postgresql://nobody@127.0.0.1:1/nothing")


@pytest.fixture
def app(market: Market) -> FastAPI:
    """The app as it is before its first look at the ledger."""
    return create_app(NOWHERE, market.universe)


@pytest.fixture
def state(market: Market) -> State:
    """Version 3 in office and served."""
    bundle = market.prior((0.2, 0.5, 0.3))
    champion = market.champion(bundle, 3)
    rows = market.rows(bundle, 3, [market.last])
    view = View(champion, bundle.manifest, "simulated", served_rows(rows))
    seats = {champion.office: Seat(champion, view)}
    return State(seats, arranged([view], market.universe), "", True)


@pytest.fixture
def client(app: FastAPI, state: State) -> TestClient:
    """Calls the app that serves `state`; the watch does not run."""
    app.state.service.watch.state = state
    return TestClient(app)


def test_many_symbols_are_answered_in_the_order_asked(client: TestClient) -> None:
    body = client.post("/predict", json={"symbols": ["SIM003", "SIM001", "SIM003"]}).json()
    first, second = body["predictions"]
    assert (first["symbol"], second["symbol"]) == ("SIM003", "SIM001")
    assert (first["p_down"], first["p_neutral"], first["p_up"]) == pytest.approx((0.2, 0.5, 0.3))
    assert (first["model_version"], first["horizon"], first["origin"]) == (3, 1, "live")
    assert first["as_of"] == "2025-06-30T20:00:00+00:00" and first["session"] == "2025-06-30"
    assert first["data_origin"] == "simulated" and first["data_age_seconds"] > 0
    assert first["snapshot"] == 7 and len(first["prediction_id"]) == 32


def test_the_answer_has_the_documented_fields(client: TestClient) -> None:
    documented = client.get("/openapi.json").json()["components"]["schemas"]
    body = client.get("/predict/SIM002").json()
    assert set(body) == set(documented["PredictAnswer"]["properties"])
    assert set(body["predictions"][0]) == set(documented["Prediction"]["properties"])
    info = client.get("/model/info").json()
    assert set(info) == set(documented["ModelAnswer"]["properties"])


def test_one_symbol_by_either_verb(client: TestClient) -> None:
    posted = client.post("/predict", json={"symbol": "SIM002", "horizon": 1}).json()
    got = client.get("/predict/SIM002").json()
    key = "prediction_id"
    assert posted["predictions"][0][key] == got["predictions"][0][key]


@pytest.mark.troubleshooting("unknown_symbol")
@pytest.mark.parametrize(
    ("body", "status", "code", "told"),
    [
        ({"symbols": ["XXX", "YYY"]}, 404, "unknown_symbol", "XXX, YYY"),
        ({"symbol": "SIM001", "horizon": 5}, 422, "unknown_horizon", "ask for 1"),
        ({}, 422, "invalid_request", 'either "symbols"'),
        ({"symbol": "SIM001", "symbols": ["SIM002"]}, 422, "invalid_request", "either"),
        ({"symbol": "SIM001", "ticker": "A"}, 422, "invalid_request", "ticker"),
        ({"symbol": "SIM\u0000"}, 422, "invalid_request", "symbol"),
        ({"symbol": "SIM001", "as_of": "2025-06-30T20:00:00"}, 422, "invalid_request", "timezone"),
        (
            {"symbol": "SIM001", "as_of": "2025-06-30T19:59:59Z"},
            503,
            "database_unavailable",
            "leave as_of out",
        ),
    ],
)
def test_a_refusal_has_a_stable_code_and_says_what_to_do(
    client: TestClient, body: dict[str, Any], status: int, code: str, told: str
) -> None:
    answer = client.post("/predict", json=body)
    refusal = answer.json()
    assert (answer.status_code, refusal["code"]) == (status, code)
    assert told in refusal["message"]
    assert refusal["request_id"] == answer.headers["x-request-id"]


def test_unknown_symbols_are_listed_for_machines_too(client: TestClient) -> None:
    refusal = client.post("/predict", json={"symbols": ["YYY", "XXX"]}).json()
    assert refusal["unknown"] == ["YYY", "XXX"]


def test_unknown_symbols_of_a_batch_are_reported_beside_the_answers_of_the_rest(
    client: TestClient,
) -> None:
    body = {"symbols": ["XXX", "SIM002", "YYY", "SIM001"]}
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200
    found = answer.json()
    assert [row["symbol"] for row in found["predictions"]] == ["SIM002", "SIM001"]
    assert [(row["symbol"], row["code"]) for row in found["missing"]] == [
        ("XXX", "unknown_symbol"),
        ("YYY", "unknown_symbol"),
    ]
    assert all(row["symbol"] in row["message"] for row in found["missing"])
    assert client.get("/predict/SIM001").json()["missing"] == []


def test_as_of_at_the_decision_is_answered_from_memory(client: TestClient) -> None:
    answer = client.get("/predict/SIM001", params={"as_of": "2025-06-30T20:00:00Z"})
    assert answer.status_code == 200


def test_framework_refusals_have_the_same_form(client: TestClient) -> None:
    for answer, code in (
        (client.get("/nothing"), "not_found"),
        (client.get("/predict"), "method_not_allowed"),
        (client.post("/predict", content=b"{"), "invalid_request"),
    ):
        assert answer.json()["code"] == code and answer.json()["request_id"]


@pytest.mark.troubleshooting("no_champion")
def test_before_the_first_champion_it_is_alive_and_not_ready(app: FastAPI) -> None:
    client = TestClient(app)
    assert client.get("/health/live").status_code == 200
    for path in ("/health/ready", "/predict/SIM001", "/model/info"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "no_champion")


def test_without_the_database_the_newest_is_served_and_readiness_says_so(
    app: FastAPI, state: State
) -> None:
    app.state.service.watch.state = replace(state, database=False)
    client = TestClient(app)
    assert client.get("/predict/SIM001").status_code == 200
    assert client.get("/health/ready").json()["code"] == "database_unavailable"


def test_every_answer_carries_an_id_and_the_disclaimer(client: TestClient) -> None:
    brought = client.get("/health/live", headers={"X-Request-ID": "mine-1"})
    assert brought.headers["x-request-id"] == "mine-1"
    assert "Not investment advice" in brought.headers["x-disclaimer"]
    forged = client.get("/health/live", headers={"X-Request-ID": "a b\tc"})
    assert len(forged.headers["x-request-id"]) == 32


@pytest.mark.troubleshooting("internal_error")
def test_a_fault_of_ours_shows_no_stack_trace(
    client: TestClient, app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    app.state.service.watch.state = None
    answer = client.get("/predict/SIM001")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "Traceback" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert any(r.exc_info for r in caplog.records)


def test_requests_are_counted_by_route_never_by_path(client: TestClient) -> None:
    for symbol in ("SIM001", "SIM002", "XXX"):
        client.get(f"/predict/{symbol}")
    client.get("/whatever")
    text = client.get("/metrics").text
    good = 'finpulse_http_requests_total{method="GET",route="/predict/{symbol}",status="200"} 2.0'
    assert good in text
    assert 'route="unmatched",status="404"} 1.0' in text
    assert "SIM001" not in text
    assert 'duration_seconds_count{method="GET",route="/predict/{symbol}"} 3.0' in text


def test_model_info_names_champion_manifest_and_office(
    app: FastAPI, state: State, market: Market
) -> None:
    newer = market.champion(market.prior((0.1, 0.1, 0.8)), 4)
    [(office, seat)] = state.seats.items()
    waits = {office: replace(seat, in_office=newer, waiting="no forecasts yet")}
    app.state.service.watch.state = replace(state, seats=waits)
    info = TestClient(app).get("/model/info").json()
    assert info["version"] == 3 and info["in_office"]["model_version"] == 4
    assert info["waiting"] == "no forecasts yet"
    assert info["manifest"]["features"] == list(VIEW.features)
    assert info["promotion"]["actor"] == "trainer"
    assert info["symbols"] == ["SIM001", "SIM002", "SIM003"]
    assert (info["universe"], info["target"]) == ("sim20", "trend_1")
    ready = TestClient(app).get("/health/ready").json()
    assert ready["waiting"] == {"sim20/trend_1": "no forecasts yet"}


def test_docs_are_served_and_need_no_other_host(client: TestClient) -> None:
    page = client.get("/docs").text
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert any("swagger" in link for link in links)
    assert all(link.startswith("/") for link in links)
    assert all(client.get(link).status_code == 200 for link in links)


def test_age_is_measured_from_the_decision(state: State) -> None:
    told = state.answers["sim20"][1].told["SIM001"]
    later = datetime.fromtimestamp(told.decided, UTC) + timedelta(hours=2)
    assert orjson.loads(told.at(later.timestamp()))["data_age_seconds"] == 7200


def test_serving_starts_without_heavy_libraries() -> None:
    heavy = "mlflow ray torch pyspark transformers sklearn xgboost great_expectations airflow"
    code = "import sys, serving.app, serving.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(heavy.split()) & set(done.stdout.split())


def offset(minutes: int) -> str:
    """An offset as it is written in a time."""
    sign, size = "+-"[minutes < 0], abs(minutes)
    return f"{sign}{size // 60:02}:{size % 60:02}"


@effort(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    time=st.one_of(
        st.datetimes(),
        st.sampled_from((datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59), datetime(2025, 6, 30))),
    ),
    minutes=st.one_of(st.integers(-1439, 1439), st.integers(-6000, 6000)),
)
def test_any_time_at_any_offset_is_answered_or_refused(
    client: TestClient, time: datetime, minutes: int
) -> None:
    text = time.isoformat() + offset(minutes)
    posted = client.post("/predict", json={"symbol": "SIM001", "as_of": text})
    got = client.get("/predict/SIM001", params={"as_of": text})
    for answer in (posted, got):
        said = answer.json().get("code", "")
        assert (answer.status_code, said) in (
            *((200, ""), (422, "invalid_request"), (422, "future_as_of")),
            (503, "database_unavailable"),
        )
    assert posted.status_code == got.status_code
