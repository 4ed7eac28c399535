"""Keys, quotas and caps, through the app and past it."""

import multiprocessing
from typing import Any

import pytest
from fastapi import FastAPI
from market import Market
from starlette.testclient import TestClient

from contracts.settings import SettingsError
from contracts.store import Store
from serving.app import create_app
from serving.edge import access
from serving.edge.access import Access, Quota, parse_keys
from serving.edge.middleware import MOST_BYTES

NOWHERE = Store("postgresql://nobody@127.0.0.1:1/nothing")
DESK, LAB = "desk-key-0123456789", "lab-key-9876543210"
KEYS = f"desk:{DESK}, lab:{LAB}"
KEYED = [("GET", "/predict/SIM001"), ("POST", "/predict"), ("GET", "/assets")]
KEYED += [("GET", "/model/info")]
OPEN = ["/health/live", "/metrics", "/docs", "/openapi.json"]


def app(market: Market, per_minute: int = 0) -> FastAPI:
    return create_app(NOWHERE, market.universe, access=Access.of(KEYS, per_minute))


@pytest.mark.parametrize(("method", "path"), KEYED)
def test_calls_need_a_known_key(market: Market, method: str, path: str) -> None:
    client = TestClient(app(market))

    def code(**headers: str) -> tuple[int, str]:
        answer = client.request(method, path, json={"symbol": "SIM001"}, headers=headers)
        return answer.status_code, answer.json()["code"]

    assert code() == (401, "key_missing")
    assert code(**{"X-API-Key": DESK[:-1]}) == (401, "key_unknown")
    assert code(**{"X-API-Key": ""}) == (401, "key_unknown")
    # Admitted, it finds that nothing is served in this test.
    assert code(**{"X-API-Key": DESK}) == code(**{"X-API-Key": LAB}) == (503, "no_champion")


@pytest.mark.parametrize("path", OPEN)
def test_health_metrics_and_docs_need_none(market: Market, path: str) -> None:
    assert TestClient(app(market)).get(path).status_code == 200


def test_the_document_lets_the_page_of_docs_authorise(market: Market) -> None:
    document = TestClient(app(market)).get("/openapi.json").json()
    [scheme] = document["components"]["securitySchemes"].values()
    assert (scheme["in"], scheme["name"]) == ("header", "X-API-Key")
    paths = document["paths"]
    for method, path in KEYED:
        operation = paths[path.replace("SIM001", "{symbol}")][method.lower()]
        assert operation["security"] and {"401", "429", "503"} <= set(operation["responses"])
    assert "security" not in paths["/health/ready"]["get"]
    predict = paths["/predict"]["post"]
    assert {"404", "413", "422"} <= set(predict["responses"])
    asked = predict["requestBody"]["content"]["application/json"]["schema"]
    assert set(asked["properties"]) == {"symbols", "symbol", "universe", "horizon", "as_of"}


def test_each_key_has_its_own_quota(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 60 * 1_000 + 18.0
    monkeypatch.setattr(access.time, "time", lambda: now)
    client = TestClient(app(market, per_minute=2))

    def status(key: str) -> Any:
        return client.get("/assets", headers={"X-API-Key": key})

    assert [status(DESK).status_code for _ in range(3)] == [503, 503, 429]
    refused = status(DESK)
    assert refused.json()["code"] == "quota_exhausted" and "desk" in refused.json()["message"]
    assert refused.headers["retry-after"] == "42"
    assert status(LAB).status_code == 503
    now += 42
    assert status(DESK).status_code == 503, "the next minute is a new one"


def test_processes_share_one_count() -> None:
    quota = Quota(1_000, keys=2)

    def take(found: Any) -> None:
        found.put(sum(quota.take(1, 90.0) == 0 for _ in range(400)))

    fork = multiprocessing.get_context("fork")
    found = fork.Queue()
    takers = [fork.Process(target=take, args=(found,)) for _ in range(4)]
    for taker in takers:
        taker.start()
    assert sum(found.get(timeout=60) for _ in takers) == 1_000
    for taker in takers:
        taker.join()
    assert quota.take(0, 90.0) == 0, "the other key's calls are its own"


@pytest.mark.parametrize(
    "text",
    [
        *("desk", f"desk:{DESK},desk:{LAB}", "desk:short", f":{DESK}"),
        f"desk:{DESK},lab:{DESK}",  # whose call would it be?
        f"d\udce9sk:{DESK}",  # what a shell gives that is not UTF-8: no log can hold it
        f"desk:{DESK}\udce9",
    ],
)
def test_malformed_keys_are_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError, match="FINPULSE_API_KEYS") as error:
        parse_keys(text)
    assert DESK not in str(error.value) and LAB not in str(error.value)


def test_without_keys_the_door_is_open(market: Market) -> None:
    client = TestClient(create_app(NOWHERE, market.universe, access=Access.of("", 1)))
    assert [client.get("/assets").json()["code"] for _ in range(3)] == ["no_champion"] * 3


def test_a_long_body_is_refused_before_it_is_read(market: Market) -> None:
    client = TestClient(create_app(NOWHERE, market.universe))
    declared = client.post("/predict", content=b"x" * (MOST_BYTES + 1))
    assert (declared.status_code, declared.json()["code"]) == (413, "body_too_long")
    assert declared.json()["request_id"]
    assert client.post("/predict", content=b"x" * MOST_BYTES).json()["code"] == "invalid_request"


def test_most_symbols_that_may_be_asked_fit(market: Market) -> None:
    client = TestClient(create_app(NOWHERE, market.universe))
    longest = [f"{i:040d}" for i in range(1_001)]
    assert client.post("/predict", json={"symbols": longest[:1_000]}).status_code == 503
    many = client.post("/predict", json={"symbols": longest})
    assert (many.status_code, many.json()["code"]) == (422, "invalid_request")
    assert "1000" in many.json()["message"]
