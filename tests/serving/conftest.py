"""The market of `tests/fixtures`, predictors as real processes, a database that can be stopped."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgres as launcher
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from market import Market
from mortal import Mortal
from predictor import Predictor, Start

from contracts.settings import settings


@pytest.fixture
def market() -> Market:
    """Facts and ledgers, to be put where a test wants them."""
    return Market()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts predictors on free ports, with settings of their own; they end with the test."""
    running: list[Predictor] = []

    def started(
        *options: str, workers: int = 1, descriptors: int = 4096, **changed: Any
    ) -> Predictor:
        own = {"predictor_port": launcher.free_port(), "drain_seconds": 0.2} | changed
        port = own["predictor_port"]
        environment = {f"FINPULSE_{name.upper()}": str(value) for name, value in own.items()}
        limited = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"]
        command = [sys.executable, "-m", "serving", "run", "--workers", str(workers), *options]
        log = tmp_path / f"predictor-{port}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(
                [*limited, *command], env=os.environ | environment, stderr=file
            )
        running.append(Predictor(f"http://127.0.0.1:{port}", process, log))
        return running[-1]

    yield started
    for predictor in running:
        predictor.process.terminate()
    for predictor in running:
        predictor.process.wait(30)


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mortal]:
    """A Postgres of this test's own, named by the settings: `mortal(False)` stops it."""
    server = Mortal(tmp_path / "postgres")
    monkeypatch.setenv("FINPULSE_DATABASE_URL", server.url)
    settings.cache_clear()
    yield server
    server.end()
