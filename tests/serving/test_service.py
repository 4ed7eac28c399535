"""How endpoints ask the database: in one way, and not at all while it is known to be away."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from line_ups import offices, trend
from market import Market
from starlette.testclient import TestClient

from contracts.store import Store, StoreUnavailable
from serving.app import create_app

ASKING = (
    ("/predict/SIM001?as_of=2025-06-28T12:00:00Z", "earlier forecasts lie", "leave as_of out"),
    (f"/explain/{'0' * 32}", "explanations lie", "ask again later"),
    ("/risk/SIM001:1", "returns lie", "ask again later"),
)


@pytest.fixture
def app(market: Market) -> FastAPI:
    made = create_app(Store("postgresql://nobody@127.0.0.1:1/nothing"), market.universe)
    made.state.service.watch.state = offices(trend(market, 1))
    made.state.service.watch._answered = float("inf")
    return made


def refused(app: FastAPI, path: str, *words: str) -> None:
    answer = TestClient(app).get(path)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert all(word in answer.json()["message"] for word in words)


@pytest.mark.parametrize(("path", "what", "otherwise"), ASKING)
def test_nobody_is_asked_while_the_last_look_went_unanswered(
    app: FastAPI, path: str, what: str, otherwise: str
) -> None:
    service = app.state.service
    service.watch.state = replace(service.watch.state, database=False)

    def never(*_: Any) -> None:
        raise AssertionError("a reader was asked")

    service.readers.call = never
    refused(app, path, what, otherwise)


@pytest.mark.parametrize("error", [StoreUnavailable("it went away"), TimeoutError()])
@pytest.mark.parametrize(("path", "what", "otherwise"), ASKING)
def test_one_that_goes_away_meanwhile_is_told_alike(
    app: FastAPI, path: str, what: str, otherwise: str, error: Exception
) -> None:
    asked: list[float] = []

    async def away(_: Any, seconds: float) -> None:
        asked.append(seconds)
        raise error

    app.state.service.readers.call = away
    refused(app, path, what, otherwise)
    assert len(asked) == 1 and 0 < asked[0] <= 20
