"""Pages of other places: a browser lets those that are named read answers, and no others."""

import httpx
import pytest
from fastapi.testclient import TestClient

from contracts.settings import SettingsError
from contracts.store import Store
from serving.app import create_app
from serving.edge.access import Access
from serving.edge.origins import parse_origins

PAGE = "https://desk.example"
KEY = "0123456789abcdef"


def client(*origins: str, keys: str = "") -> TestClient:
    """Of a predictor without a database."""
    store = Store("postgresql://nobody@127.0.0.1:1/nothing")
    return TestClient(create_app(store, "sim20", access=Access.of(keys, 0), origins=origins))


def preflight(asked: TestClient, origin: str, method: str = "POST") -> httpx.Response:
    told = {"Origin": origin, "Access-Control-Request-Method": method}
    told |= {"Access-Control-Request-Headers": "content-type,x-api-key"}
    return asked.options("/predict", headers=told)


def test_a_named_page_may_call_with_its_key() -> None:
    asked = client(PAGE, "http://localhost:3000", keys=f"desk:{KEY}")
    for origin in (PAGE, "http://localhost:3000"):
        answer = preflight(asked, origin)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == origin
        allowed = answer.headers["access-control-allow-headers"].lower()
        assert "x-api-key" in allowed and "content-type" in allowed
    answer = asked.get("/health/live", headers={"Origin": PAGE})
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://desk.example", "https://desk.example.evil", "null"]
)
def test_others_are_not_named(origin: str) -> None:
    asked = client(PAGE)
    assert preflight(asked, origin).status_code == 400
    answer = asked.get("/health/live", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers


def test_a_refusal_can_be_read_too() -> None:
    asked = client(PAGE, keys=f"desk:{KEY}")
    told = {"Origin": PAGE}
    for answer in (
        asked.post("/predict", json={"symbols": ["SIM001"]}, headers=told),
        asked.get("/nowhere", headers=told),
        asked.post("/predict", content=b"x" * 300_000, headers=told),
    ):
        assert answer.status_code in (401, 404, 413)
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["x-request-id"]


def test_a_method_that_we_have_not_is_not_allowed() -> None:
    assert preflight(client(PAGE), PAGE, "DELETE").status_code == 400


def test_without_origins_nothing_is_said() -> None:
    asked = client()
    assert preflight(asked, PAGE).status_code == 405
    answer = asked.get("/health/live", headers={"Origin": PAGE})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_star_is_for_all() -> None:
    answer = client("*").get("/health/live", headers={"Origin": "https://any.example"})
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" , ", []),
        ("*", ["*"]),
        (f"{PAGE}, http://localhost:3000", [PAGE, "http://localhost:3000"]),
        ("http://[::1]:8080", ["http://[::1]:8080"]),
        # As browsers send it: small letters, no port that goes without saying.
        ("HTTPS://Desk.Example:443, http://a:80", [PAGE, "http://a"]),
        ("https://a:80,https://a:8443", ["https://a:80", "https://a:8443"]),
    ],
)
def test_origins_are_read(text: str, found: list[str]) -> None:
    assert parse_origins(text) == found


@pytest.mark.parametrize(
    "text",
    ["desk.example", f"{PAGE}/", f"{PAGE}/app", f"{PAGE},*", "*.desk.example", "ftp://a", "null",
     "https://", "https://a:b@c", "https://a b"],
)  # fmt: skip
def test_what_is_no_origin_is_refused_by_the_settings_name(text: str) -> None:
    with pytest.raises(SettingsError, match="FINPULSE_CORS_ORIGINS: expected scheme://host"):
        parse_origins(text)
