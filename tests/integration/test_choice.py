"""A person chooses a champion in MLflow, then takes it back: what the predictor serves of it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import ports
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from airflow_client import Airflow
from live_stack import run
from market import FLAT, STEEP, Market
from postgres import free_port
from predictor import Predictor, wait_for
from stack import Stack, asked_settings
from supervise import Supervisor

from contracts.champion import Office, champion, model_name
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store
from contracts.universe import universe
from serving.batch import predict
from training.bundle.bundle import Bundle
from training.office.registration import move_alias
from training.run.mlflow_api import Mlflow

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


OFFICE = Office("choice", "trend_1")


@pytest.fixture
def chosen_from(
    store: Store, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[Market, Mlflow, Bundle]:
    """Versions 1 and 2 in MLflow; 1 is champion and has forecasts, 2 was never in office."""
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", mlflow_server)
    monkeypatch.setenv("FINPULSE_UNIVERSE", "choice")
    settings.cache_clear()
    market, server = Market(), Mlflow(mlflow_server)
    market.universe = "choice"
    market.load(store)
    flat, steep = (market.prior(chances, universe="choice") for chances in (FLAT, STEEP))
    server.call("POST", "mlflow/registered-models/create", name=model_name(OFFICE))
    for bundle in (flat, steep):
        tags = [{"key": "bundle", "value": bundle.hash}]
        fields = {"name": model_name(OFFICE), "source": "s3://elsewhere/model", "tags": tags}
        server.call("POST", "mlflow/model-versions/create", **fields)
    office = market.promote(store, market.champion(flat, 1))
    asked = Cut.at(universe("choice"), market.last, store.snapshot())
    predict(store, office, flat, asked, office.decided_at)
    move_alias(server, model_name(OFFICE), 1)
    return market, server, steep


@pytest.fixture
def stack(chosen_from: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The local stack on the test's database and MLflow: Airflow, predictor and monitoring."""
    free = {f"FINPULSE_{name.upper()}": str(free_port()) for name in ports.NAMES}
    for key, value in free.items():
        monkeypatch.setenv(key, value)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW")}
    started = run("up", environment)
    try:
        assert started.returncode == 0, started.stdout
        yield Stack.of(asked_settings())
    finally:
        stopped = run("down", environment)
    assert stopped.returncode == 0, stopped.stdout


@pytest.fixture
def served(stack: Stack) -> Predictor:
    """The stack's predictor."""
    process = Supervisor(stack.home).process
    assert process is not None
    predictor = Predictor(stack.predictor, process, stack.home / "logs", stack.api_key)
    wait_for(lambda: predictor.ready)
    wait_for(lambda: "finpulse_mlflow_up 1.0" in _text(f"{stack.monitoring}/metrics"))
    wait_for(lambda: "finpulse_airflow_up 1.0" in _text(f"{stack.monitoring}/metrics"))
    return predictor


def _text(url: str) -> str:
    try:
        return httpx.get(url, timeout=5).text
    except httpx.TransportError:
        return ""


def _rolled_back(leaving: str) -> None:
    command = [sys.executable, "-m", "training", "rollback", "--reason", "a game day"]
    command += ["--bundle", leaving]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_alias_set_in_mlflow_is_served_and_rolled_back_without_a_failed_request(
    store: Store, chosen_from: tuple[Market, Mlflow, Bundle], served: Predictor, stack: Stack
) -> None:
    market, server, steep = chosen_from
    with served.under_load(market, {1: 0.3, 2: 0.7}) as load:
        wait_for(lambda: load.seen(1))
        began = time.monotonic()
        move_alias(server, model_name(OFFICE), 2)
        wait_for(lambda: load.seen(2))
        print(f"served {time.monotonic() - began:.1f} s after the alias moved")
        office = champion(store, OFFICE)
        assert office is not None and (office.bundle, office.actor) == (steep.hash, "mlflow-ui")
        before = load.answers[200, 1]
        _rolled_back(steep.hash)
        wait_for(lambda: load.answers[200, 1] > before + 30)
    assert load.failures == [] and set(load.answers) == {(200, 1), (200, 2)}
    decisions = store.query("SELECT decision FROM promotions ORDER BY number")
    assert decisions["decision"].to_pylist() == ["promoted", "promoted", "rolled_back"]
    runs = Airflow(stack.settings, print).ask("GET", "dags/forecast_champion/dagRuns").json()
    [woken] = runs["dag_runs"]
    assert woken["run_type"] == "asset_triggered"
