"""What the exporter says and does while others hang or are killed, as a process."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import postgres as launcher
import pytest
from market import FLAT, Market
from mlflow_server import served
from mortal import Mortal
from predictor import wait_for
from prometheus_client.parser import text_string_to_metric_families
from waiting_step import ended, states

from contracts.settings import settings
from contracts.store import Store
from training.run.tracking import Mlflow

pytestmark = pytest.mark.integration


class Exported:
    """The verb `export` as a process, and what a scrape of it says."""

    def __init__(self, url: str, mlflow: str, log: Path) -> None:
        self.port = launcher.free_port()
        own = {"FINPULSE_DATABASE_URL": url, "FINPULSE_MLFLOW_URL": mlflow}
        own |= {"FINPULSE_MONITORING_PORT": str(self.port)}
        with log.open("ab") as file:
            command = [sys.executable, "-m", "monitoring", "export"]
            self.process = subprocess.Popen(command, env=os.environ | own, stderr=file)

    def says(self, name: str) -> float | None:
        """The value of a series; None when it is absent or nobody answers."""
        try:
            text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5).text
        except httpx.TransportError:
            return None
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == f"finpulse_{name}":
                    return sample.value
        return None


Export = Callable[[str, str], Exported]


@pytest.fixture
def export(tmp_path: Path) -> Iterator[Export]:
    """Starts exporters that end with the test."""
    running: list[Exported] = []

    def started(url: str, mlflow: str) -> Exported:
        running.append(Exported(url, mlflow, tmp_path / "exporter.log"))
        return running[-1]

    yield started
    for exported in running:
        exported.process.kill()
        exported.process.wait()


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of an MLflow that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    """A Postgres of this test's own."""
    server = Mortal(tmp_path / "postgres")
    yield server
    server.end()


def test_a_hung_mlflow_hides_nothing_else(
    mortal: Mortal, market: Market, export: Export, silent: str
) -> None:
    store = mortal(True)
    store.migrate()
    market.crown(store, FLAT, 1)
    exported = export(mortal.url, silent)
    wait_for(lambda: exported.says("champion_info") == 1)
    market.crown(store, (0.2, 0.3, 0.5), 2)
    wait_for(lambda: exported.says("predictions") == 18, 30)
    assert exported.says("database_up") == 1 and exported.says("mlflow_up") == 0
    exported.process.send_signal(signal.SIGTERM)
    assert exported.process.wait(20) == 0


@pytest.mark.parametrize("held", [0, pytest.param(90, marks=pytest.mark.slow)])
def test_a_hung_database_is_told_within_thirty_seconds_and_comes_back(
    mortal: Mortal, market: Market, export: Export, held: float
) -> None:
    store = mortal(True)
    store.migrate()
    market.crown(store, FLAT, 1)
    exported = export(mortal.url, "http://127.0.0.1:1")
    wait_for(lambda: exported.says("champion_info") == 1)
    mortal.hang(True)
    over = time.monotonic() + held
    wait_for(lambda: exported.says("database_up") == 0, 30)
    while True:
        assert exported.says("database_up") == 0
        assert exported.says("table_rows") is None, "nothing stale is told"
        if time.monotonic() >= over:
            break
        time.sleep(1)
    mortal.hang(False)
    wait_for(lambda: exported.says("database_up") == 1)
    mortal.hang(True)
    exported.process.send_signal(signal.SIGTERM)
    assert exported.process.wait(20) == 0


def test_an_mlflow_that_is_stopped_is_told_within_thirty_seconds_and_comes_back(
    mortal: Mortal, market: Market, export: Export, tmp_path: Path
) -> None:
    mortal(True).migrate()
    with served(tmp_path / "mlflow") as (url, server):
        one, other = export(mortal.url, url), export(mortal.url, url)
        wait_for(lambda: one.says("mlflow_up") == 1 and other.says("mlflow_up") == 1)
        os.killpg(server.pid, signal.SIGSTOP)
        try:
            wait_for(lambda: one.says("mlflow_up") == 0, 30)
            assert one.says("database_up") == 1
            other.process.send_signal(signal.SIGTERM)
            assert other.process.wait(20) == 0
        finally:
            os.killpg(server.pid, signal.SIGCONT)
        wait_for(lambda: one.says("mlflow_up") == 1)


def test_half_open_scrapes_leave_room_for_others(mortal: Mortal, export: Export) -> None:
    mortal(True).migrate()
    exported = export(mortal.url, "http://127.0.0.1:1")
    wait_for(lambda: exported.says("database_up") == 1)
    held = [socket.create_connection(("127.0.0.1", exported.port)) for _ in range(300)]
    for connection in held:
        connection.sendall(b"GET /metrics HTTP/1.1\r\n")
    assert exported.says("database_up") == 1
    wait_for(lambda: len(list(Path(f"/proc/{exported.process.pid}/fd").iterdir())) < 100)
    for connection in held:
        connection.close()


def test_a_run_whose_process_was_killed_is_ended_without_another_step(
    store: Store, mlflow_server: str, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", mlflow_server)
    settings.cache_clear()
    export(store.url, mlflow_server)
    # Of a universe that this exporter does not watch.
    universe = f"u{uuid4().hex[:8]}"
    assert ended(universe, signal.SIGKILL) == -signal.SIGKILL
    wait_for(lambda: states(Mlflow(mlflow_server), universe) == ["KILLED"] * 3)
