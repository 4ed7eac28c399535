"""The market of `tests/fixtures`, predictors as real processes, a database that can be stopped."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import postgres as launcher
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from market import Market
from predictor import Predictor, Start

from contracts.settings import settings
from contracts.store import Store


@pytest.fixture
def market() -> Market:
    """Facts and ledgers, to be put where a test wants them."""
    return Market()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts predictors on free ports, with settings of their own; they end with the test."""
    running: list[Predictor] = []

    def started(*options: str, workers: int = 1, **changed: Any) -> Predictor:
        own = {"predictor_port": launcher.free_port(), "drain_seconds": 0.2} | changed
        port = own["predictor_port"]
        environment = {f"FINPULSE_{name.upper()}": str(value) for name, value in own.items()}
        command = [sys.executable, "-m", "serving", "run", "--workers", str(workers), *options]
        log = tmp_path / f"predictor-{port}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(command, env=os.environ | environment, stderr=file)
        running.append(Predictor(f"http://127.0.0.1:{port}", process, log))
        return running[-1]

    yield started
    for predictor in running:
        predictor.process.terminate()
    for predictor in running:
        predictor.process.wait(30)


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
            servers[-1].send_signal(2)
            servers[-1].wait(launcher.STOP_SECONDS)
        return Store(url)

    yield switch
    if servers[-1].poll() is None:
        switch(False)
