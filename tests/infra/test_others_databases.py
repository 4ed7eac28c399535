"""MLflow, with its database as the stack names it, while that hangs and comes back."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import postgres
import pytest
from mlflow_server import served
from mortal import Mortal
from predictor import wait_for
from programs import mlflow_program
from stack import Stack, asked_settings

from contracts.settings import settings

pytestmark = pytest.mark.integration


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack of which only the names are used."""
    monkeypatch.setenv("FINPULSE_POSTGRES_PORT", str(postgres.free_port()))
    settings.cache_clear()
    return Stack.of(asked_settings())


@pytest.fixture
def mortal(tmp_path: Path, stack: Stack) -> Iterator[Mortal]:
    """The stack's Postgres."""
    port, password = stack.asked.postgres_port, stack.credentials.database
    server = Mortal(tmp_path / "postgres", port, password)
    server(True)
    postgres.create_database(stack.database("postgres"), "mlflow")
    yield server
    server.end()


def answers(url: str, seconds: float = 10) -> bool:
    """Whether a question that needs the database is answered in time."""
    body = {"max_results": 1}
    try:
        path = f"{url}/api/2.0/mlflow/experiments/search"
        return httpx.post(path, json=body, timeout=seconds).is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("asked", [4, pytest.param(35, marks=pytest.mark.slow)])
def test_mlflow_outlives_a_database_that_hangs_and_one_that_is_started_again(
    stack: Stack, mortal: Mortal, tmp_path: Path, asked: int
) -> None:
    told = mlflow_program(stack).environment
    named = {key: value for key, value in told.items() if key.startswith("MLFLOW")}
    with served(tmp_path / "mlflow", named) as (url, server):
        assert answers(url, 60)
        mortal.hang(True)
        # Each second one more that hangs; what does not ask it goes on.
        assert not any(answers(url, 1) for _ in range(asked))
        assert httpx.get(f"{url}/health", timeout=30).is_success
        mortal.hang(False)
        wait_for(lambda: answers(url))
        mortal(False)
        mortal(True)
        wait_for(lambda: answers(url))
        assert server.poll() is None, "all the time the same process"
