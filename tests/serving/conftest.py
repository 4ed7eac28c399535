"""The market of `tests/fixtures`, predictors as real processes, a database that can be stopped."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from market import Market
from mortal import Mortal
from predictor import Start, starting

from contracts.settings import settings


@pytest.fixture
def market() -> Market:
    """Facts and ledgers, to be put where a test wants them."""
    return Market()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts predictors on free ports, with settings of their own; they end with the test."""
    with starting(tmp_path) as started:
        yield started


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mortal]:
    """A Postgres of this test's own, named by the settings: `mortal(False)` stops it."""
    server = Mortal(tmp_path / "postgres")
    monkeypatch.setenv("FINPULSE_DATABASE_URL", server.url)
    settings.cache_clear()
    yield server
    server.end()
