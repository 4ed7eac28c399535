"""Callers of a staged challenger, and of its champion: who answers, who is counted, and no 5xx."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

import orjson
import pytest
from fastapi import FastAPI
from line_ups import offices, trend, volatility
from market import FIRST, Market
from starlette.testclient import TestClient

from contracts.release.rollout import Rollout
from contracts.store import Store
from serving.app import create_app
from serving.edge.access import Access
from serving.served.served import View
from serving.served.staging import Staging

NOWHERE = Store("postgresql://nobody@127.0.0.1:1/nothing")
ASKED = {"symbols": list(FIRST)}


def release(view: View, stage: str, share: float) -> Rollout:
    about = view.champion
    return Rollout(
        *("d1", "r1", about.universe, about.target, about.bundle, about.model_name),
        *(about.model_version, "a" * 64, stage, share, "PROMOTE", "", "manual"),
        datetime(2025, 7, 1, tzinfo=UTC),
    )


@pytest.fixture
def stage(market: Market) -> Callable[..., TestClient]:
    """A predictor of version 1 and a volatility, with version 2 staged at a share."""

    def made(
        share: float, view: View | None = None, access: Access | None = None, fault: str = ""
    ) -> TestClient:
        app: FastAPI = create_app(NOWHERE, market.universe, access=access or Access({}))
        watch = app.state.service.watch
        state = offices(trend(market, 1), volatility(market, 6, 5, 0.05, "SIM001"))
        challenger = view or replace(trend(market, 2))
        about = release(challenger, "canary" if share else "shadow", share)
        made = Staging(NOWHERE, app.state.service.metrics).of(about, state, challenger, fault)
        watch.state = replace(state, staged=MappingProxyType({market.universe: made}))
        return TestClient(app, raise_server_exceptions=False)

    return made


def version(client: TestClient, caller: str) -> int:
    answer = client.post("/predict", json=ASKED, headers={"X-Caller": caller})
    assert answer.status_code == 200
    [found] = {row["model_version"] for row in answer.json()["predictions"]}
    return int(found)


def counted(client: TestClient, arm: str, outcome: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    wanted = ("finpulse_arm_answers_total{", f'arm="{arm}"', f'outcome="{outcome}"')
    found = [line for line in lines if all(each in line for each in wanted)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


def test_a_caller_belongs_to_one_arm_and_stays_there(stage: Callable[..., TestClient]) -> None:
    client = stage(0.5)
    first = {name: version(client, name) for name in map(str, range(40))}
    assert set(first.values()) == {1, 2}
    again = stage(0.5)
    assert {name: version(again, name) for name in first} == first
    small = stage(0.1)
    assert all(first[name] == 2 for name in first if version(small, name) == 2)
    assert counted(client, "champion", "answered") + counted(client, "challenger", "answered") == 40


def test_what_another_office_says_beside_it_is_the_challengers_too(
    stage: Callable[..., TestClient], market: Market
) -> None:
    client = stage(1.0, volatility(market, 8, 5, 0.09, "SIM001"))
    rows = client.post("/predict", json=ASKED).json()["predictions"]
    assert {row["model_version"] for row in rows} == {1}, "the trend has no challenger"
    beside = {row["symbol"]: row["volatility"] for row in rows}
    assert beside["SIM001"]["model_version"] == 8 and beside["SIM001"]["value"] == 0.09
    told = client.get("/analysis/SIM001").json()["forecasts"]
    assert {one["objective"]: one["model_version"] for one in told} == {"trend": 1, "volatility": 8}


def test_an_api_key_counts_before_a_header(stage: Callable[..., TestClient]) -> None:
    client = stage(0.5, access=Access.of(f"desk:{'k' * 20}", 0))
    client.headers["X-API-Key"] = "k" * 20
    assert len({version(client, name) for name in map(str, range(20))}) == 1


def test_nobody_is_told_of_a_challenger_in_shadow_and_some_calls_are_counted(
    stage: Callable[..., TestClient],
) -> None:
    with stage(0.0) as client:
        assert {version(client, str(name)) for name in range(40)} == {1}
        assert counted(client, "champion", "answered") == 40
        assert counted(client, "challenger", "answered") == 10
        [told] = client.get("/model/info").json()["staged"]
    assert (told["version"], told["stage"], told["share"]) == (2, "shadow", 0.0)


def spoilt(view: View, forecast: object) -> View:
    said = orjson.dumps(forecast).decode()
    rows = {symbol: {**row, "forecast": said} for symbol, row in view.newest.items()}
    return replace(view, newest=MappingProxyType(rows))


@pytest.mark.parametrize("said", ["nothing", [0.3], None, {"p_up": "high"}])
def test_what_cannot_be_told_is_answered_by_the_champion_and_counted(
    stage: Callable[..., TestClient], market: Market, said: object
) -> None:
    client = stage(1.0, spoilt(trend(market, 2), said))
    for path in ("/analysis/SIM001", "/ranking/sim20", "/predict/SIM001"):
        assert client.get(path).status_code == 200
    assert version(client, "anybody") == 1
    assert counted(client, "challenger", "failed") == 4
    assert "cannot be told" in client.get("/model/info").json()["staged"][0]["fault"]


def test_no_number_is_no_answer(stage: Callable[..., TestClient], market: Market) -> None:
    nothing = dict.fromkeys(("p_down", "p_neutral", "p_up"), float("nan"))
    client = stage(1.0, spoilt(trend(market, 2), nothing))
    assert version(client, "anybody") == 1


def test_an_exception_on_the_way_is_the_challengers_and_not_the_callers(
    stage: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = stage(1.0)
    state = client.app.state.service.watch.state  # type: ignore[attr-defined]
    broken = state.staged["sim20"].answers
    told = next(iter(broken.values()))
    monkeypatch.setitem(told.__dict__, "told", {"SIM001": None})
    assert client.post("/predict", json={"symbol": "SIM001"}).status_code == 200
    assert counted(client, "challenger", "failed") == 1


def test_a_symbol_that_the_challenger_lacks_is_told_by_the_champion(
    stage: Callable[..., TestClient], market: Market
) -> None:
    whole = trend(market, 2)
    fewer = {name: row for name, row in whole.newest.items() if name != "SIM002"}
    client = stage(1.0, replace(whole, newest=MappingProxyType(fewer)))
    rows = client.post("/predict", json={"symbol": "SIM002"}).json()["predictions"]
    assert [row["model_version"] for row in rows] == [1]
    assert counted(client, "challenger", "failed") == 1


def test_what_the_question_deserves_is_no_failure(stage: Callable[..., TestClient]) -> None:
    client = stage(1.0)
    assert client.post("/predict", json={"symbol": "SIM001", "horizon": 7}).status_code == 422
    future = {"symbol": "SIM001", "as_of": "2999-01-01T00:00:00Z"}
    assert client.post("/predict", json=future).json()["code"] == "future_as_of"
    assert counted(client, "challenger", "refused") == 1, "an unknown horizon is nobody's"
    assert counted(client, "challenger", "failed") == 0


def test_what_the_champion_cannot_answer_either_is_not_held_against_it(
    stage: Callable[..., TestClient],
) -> None:
    client = stage(1.0)
    before = {"symbol": "SIM001", "as_of": "2001-01-01T00:00:00Z"}
    assert client.post("/predict", json=before).status_code == 503, "the ledger is away"
    assert counted(client, "challenger", "failed") == 0
    assert counted(client, "challenger", "refused") == 1


def test_a_challenger_that_cannot_be_served_is_counted_for_its_callers(
    stage: Callable[..., TestClient],
) -> None:
    client = stage(1.0, fault="its bundle failed the checks: changed")
    assert version(client, "anybody") == 1
    assert counted(client, "challenger", "failed") == 1
