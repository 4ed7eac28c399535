"""The predictor as it runs: a real server process, a real database, under load."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import postgres as launcher
import psutil
import pytest
from market import FLAT, STEEP, Market

from contracts.settings import settings
from contracts.store import Store

pytestmark = pytest.mark.integration

Start = Callable[[], tuple[str, subprocess.Popen[bytes]]]


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts predictors on free ports; their logs lie in `tmp_path/predictor.log`."""
    running: list[subprocess.Popen[bytes]] = []

    def started() -> tuple[str, subprocess.Popen[bytes]]:
        port = launcher.free_port()
        environment = os.environ | {"FINPULSE_PREDICTOR_PORT": str(port)}
        with (tmp_path / "predictor.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "serving", "run"], env=environment, stderr=log
            )
        running.append(process)
        return f"http://127.0.0.1:{port}", process

    yield started
    for process in running:
        process.terminate()
        process.wait(20)


def test_a_swap_fails_no_request_and_each_answer_names_one_version(
    store: Store, market: Market, start: Start, tmp_path: Path
) -> None:
    market.crown(store, FLAT, 1)
    url, process = start()
    wait_for(lambda: ready(url))
    stop, seen = Event(), Counter[tuple[int, int]]()

    def ask() -> None:
        with httpx.Client(base_url=url) as client:
            while not stop.is_set():
                answer = client.post("/predict", json={"symbols": list(market.symbols)})
                rows = answer.json()["predictions"]
                versions = {row["model_version"] for row in rows}
                # The version and the numbers must belong together.
                assert {round(row["p_up"], 6) for row in rows} == {(0.3, 0.7)[max(versions) - 1]}
                seen[answer.status_code, versions.pop()] += 1
                assert not versions

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        wait_for(lambda: seen[200, 1] > 50)
        market.crown(store, STEEP, 2)
        wait_for(lambda: seen[200, 2] > 50)
        stop.set()
        for asked in asking:
            asked.result()
    assert set(seen) == {(200, 1), (200, 2)}
    assert psutil.Process(process.pid).memory_info().rss < 350e6
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) in (0, -signal.SIGTERM)
    lines = [json.loads(line) for line in (tmp_path / "predictor.log").read_text().splitlines()]
    assert any(line["message"] == "champion served" and line["version"] == 2 for line in lines)
    assert all("request_id" in line for line in lines if line["message"] == "request")


def test_earlier_forecasts_come_from_the_ledger(store: Store, market: Market, start: Start) -> None:
    market.crown(store, FLAT, 1)
    url, _ = start()
    wait_for(lambda: ready(url))

    def asked(symbol: str, as_of: str) -> httpx.Response:
        return httpx.post(f"{url}/predict", json={"symbol": symbol, "as_of": as_of})

    then = asked("SIM001", "2025-06-28T12:00:00Z").json()["predictions"][0]
    assert then["session"] == "2025-06-27"
    assert asked("SIM001", "2025-06-01T12:00:00Z").json()["code"] == "no_prediction"
    assert asked("'; DROP TABLE bars", "2025-06-28T12:00:00Z").json()["code"] == "unknown_symbol"
    assert asked("SIM001", "2999-01-01T00:00:00Z").json()["predictions"][0]["session"] == str(
        market.last
    )


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], Store]]:
    """A Postgres of this test's own that can be stopped and started: `mortal(False)` stops it."""
    folder, password = tmp_path / "postgres", launcher.new_password()
    folder.mkdir()
    launcher.initialise(folder / "data", password)
    port = launcher.free_port()
    url = launcher.url("127.0.0.1", port, password, "postgres")
    monkeypatch.setenv("FINPULSE_DATABASE_URL", url)
    settings.cache_clear()
    servers: list[subprocess.Popen[bytes]] = []

    def switch(on: bool) -> Store:
        if on:
            command = launcher.command(folder / "data", "127.0.0.1", port)
            servers.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/"))
            launcher.wait(url)
        else:
            servers[-1].send_signal(signal.SIGINT)
            servers[-1].wait(launcher.STOP_SECONDS)
        return Store(url)

    yield switch
    if servers[-1].poll() is None:
        switch(False)


def test_a_lost_database_leaves_the_newest_forecasts_and_comes_back(
    mortal: Callable[[bool], Store], market: Market, start: Start
) -> None:
    store = mortal(True)
    store.migrate()
    market.crown(store, FLAT, 1)
    url, _ = start()
    wait_for(lambda: ready(url))
    mortal(False)
    wait_for(lambda: not ready(url))
    answer = httpx.get(f"{url}/predict/SIM001")
    assert answer.status_code == 200 and answer.json()["predictions"][0]["data_age_seconds"] > 0
    assert httpx.get(f"{url}/health/live").status_code == 200
    assert "finpulse_serving_database_up 0.0" in httpx.get(f"{url}/metrics").text
    earlier = httpx.get(f"{url}/predict/SIM001", params={"as_of": "2025-06-28T12:00:00Z"})
    assert (earlier.status_code, earlier.json()["code"]) == (503, "database_unavailable")
    mortal(True)
    wait_for(lambda: ready(url))


def test_it_starts_before_the_database_and_before_any_champion(
    mortal: Callable[[bool], Store], market: Market, start: Start
) -> None:
    mortal(True)
    mortal(False)
    url, _ = start()
    wait_for(lambda: _alive(url))
    assert httpx.get(f"{url}/predict/SIM001").json()["code"] == "no_champion"
    store = mortal(True)
    store.migrate()
    market.crown(store, FLAT, 1)
    wait_for(lambda: ready(url))


def _alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live").status_code == 200
    except httpx.TransportError:
        return False
