"""The predictor as it runs: a real server process, a real database, one worker."""

import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from market import FLAT, STEEP, Market
from predictor import Start, wait_for

from contracts.store import Store
from serving.routes import routes

pytestmark = pytest.mark.integration


def test_a_swap_fails_no_request_and_each_answer_names_one_version(
    store: Store, market: Market, start: Start
) -> None:
    market.crown(store, FLAT, 1)
    predictor = start()
    wait_for(lambda: predictor.ready)
    with predictor.under_load(market, {1: 0.3, 2: 0.7}) as load:
        wait_for(lambda: load.seen(1))
        market.crown(store, STEEP, 2)
        wait_for(lambda: load.seen(2))
    assert load.failures == [] and set(load.answers) == {(200, 1), (200, 2)}
    assert psutil.Process(predictor.process.pid).memory_full_info().pss < 1e9
    predictor.process.send_signal(signal.SIGTERM)
    assert predictor.process.wait(20) in (0, -signal.SIGTERM)
    lines = [json.loads(line) for line in predictor.log.read_text().splitlines()]
    assert any(line["message"] == "champion served" and line["version"] == 2 for line in lines)
    assert all("request_id" in line for line in lines if line["message"] == "request")


def test_told_to_end_it_is_not_ready_first_and_answers_what_came_in(
    store: Store, market: Market, start: Start
) -> None:
    market.crown(store, FLAT, 1)
    predictor = start(drain_seconds=3)
    wait_for(lambda: predictor.ready)
    body = json.dumps({"symbols": ["SIM001"]}).encode()

    def slowly() -> httpx.Response:
        def parts():
            yield body[:5]
            wait_for(lambda: predictor.status("/health/live") == 0)
            yield body[5:]

        return httpx.post(f"{predictor.url}/predict", content=parts(), timeout=30)

    with ThreadPoolExecutor(1) as pool:
        unfinished = pool.submit(slowly)
        predictor.process.send_signal(signal.SIGTERM)
        wait_for(lambda: predictor.status("/health/ready") == 503)
        answer = httpx.get(f"{predictor.url}/health/ready")
        assert answer.json()["code"] == "stopping" and answer.headers["connection"] == "close"
        assert predictor.status("/predict/SIM001") == 200, "it takes calls while others notice"
        assert unfinished.result().status_code == 200, "begun before it stopped listening"
    assert predictor.process.wait(20) in (0, -signal.SIGTERM)


def test_earlier_forecasts_come_from_the_ledger(store: Store, market: Market, start: Start) -> None:
    market.crown(store, FLAT, 1)
    predictor = start()
    wait_for(lambda: predictor.ready)

    def asked(symbol: str, as_of: str) -> httpx.Response:
        return httpx.post(f"{predictor.url}/predict", json={"symbol": symbol, "as_of": as_of})

    then = asked("SIM001", "2025-06-28T12:00:00Z").json()["predictions"][0]
    assert then["session"] == "2025-06-27"
    assert asked("SIM001", "2025-06-01T12:00:00Z").json()["code"] == "no_prediction"
    assert asked("'; DROP TABLE bars", "2025-06-28T12:00:00Z").json()["code"] == "unknown_symbol"
    for far in ("+16:00", "-16:00", "+23:59", "-23:59"):  # More than Postgres knows.
        assert asked("SIM001", f"2025-06-28T12:00:00{far}").status_code == 200
    for first in ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00-23:59"):
        assert asked("SIM001", first).json()["code"] == "no_prediction"
    assert asked("SIM001", "0001-01-01T00:00:00+23:59").json()["code"] == "invalid_request"
    future = asked("SIM001", "2999-01-01T00:00:00Z")
    assert (future.status_code, future.json()["code"]) == (422, "future_as_of")


def test_a_lost_database_leaves_the_newest_forecasts_and_comes_back(
    mortal: Callable[[bool], Store], market: Market, start: Start
) -> None:
    store = mortal(True)
    store.migrate()
    market.crown(store, FLAT, 1)
    predictor = start()
    wait_for(lambda: predictor.ready)
    mortal(False)
    wait_for(lambda: not predictor.ready)
    told = httpx.get(f"{predictor.url}/health/ready").json()
    assert told["code"] == "database_unavailable" and told["data_age_seconds"] > 0
    assert predictor.status("/health/ready?database=false") == 200, "it answers all the same"
    answer = httpx.get(f"{predictor.url}/predict/SIM001")
    assert answer.status_code == 200 and answer.json()["predictions"][0]["data_age_seconds"] > 0
    assert predictor.status("/health/live") == 200
    assert "finpulse_serving_database_up 0.0" in httpx.get(f"{predictor.url}/metrics").text
    earlier = httpx.get(f"{predictor.url}/predict/SIM001?as_of=2025-06-28T12:00:00Z")
    assert (earlier.status_code, earlier.json()["code"]) == (503, "database_unavailable")
    named = answer.json()["predictions"][0]["prediction_id"]
    for path in (f"/explain/{named}", "/risk/SIM001:1"):
        found = httpx.get(predictor.url + path)
        assert (found.status_code, found.json()["code"]) == (503, "database_unavailable"), path
    mortal(True)
    wait_for(lambda: predictor.ready)
    calls = "SELECT route, status FROM requests ORDER BY answered_at"
    wait_for(lambda: store.query(calls).num_rows == 4)
    rows = store.query(calls).to_pylist()
    assert rows == [
        {"route": "/predict/{symbol}", "status": 200},
        {"route": "/predict/{symbol}", "status": 503},
        {"route": "/explain/{prediction_id}", "status": 503},
        {"route": "/risk/{portfolio}", "status": 503},
    ], "what was answered meanwhile is written down afterwards"


def test_it_starts_before_the_database_and_before_any_champion(
    mortal: Callable[[bool], Store], market: Market, start: Start
) -> None:
    mortal(True)
    mortal(False)
    predictor = start()
    wait_for(lambda: predictor.status("/health/live") == 200)
    assert httpx.get(f"{predictor.url}/predict/SIM001").json()["code"] == "no_champion"
    store = mortal(True)
    store.migrate()
    market.crown(store, FLAT, 1)
    wait_for(lambda: predictor.ready)


def test_a_taken_port_is_named(start: Start, store: Store) -> None:
    first = start()
    wait_for(lambda: first.status("/health/live") == 200)
    second = start(predictor_port=first.url.rsplit(":", 1)[1])
    assert second.process.wait(120) == 1
    assert "FINPULSE_PREDICTOR_PORT" in second.log.read_text()
    assert first.status("/health/live") == 200


def test_while_it_is_developed_it_starts_anew_when_the_code_changes(
    store: Store, market: Market, start: Start
) -> None:
    market.crown(store, FLAT, 1)
    predictor = start("--reload")
    wait_for(lambda: predictor.ready)
    [before] = predictor.workers()
    os.utime(routes.__file__)
    wait_for(lambda: predictor.workers() not in ([], [before]) and predictor.ready)
    [after] = predictor.workers()
    predictor.process.terminate()
    predictor.process.wait(20)
    assert not psutil.pid_exists(before) and not psutil.pid_exists(after)
