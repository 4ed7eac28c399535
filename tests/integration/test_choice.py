"""A person chooses a champion in MLflow, then takes it back: what the predictor serves of it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from market import FLAT, STEEP, Market
from postgres import free_port
from predictor import Predictor, wait_for

from contracts.champion import champion, model_name
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store
from contracts.universe import universe
from serving.batch import predict
from training.bundle.bundle import Bundle
from training.office.registration import move_alias
from training.run.mlflow_api import Mlflow

pytestmark = pytest.mark.integration


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
    server.call("POST", "mlflow/registered-models/create", name=model_name("choice"))
    for bundle in (flat, steep):
        tags = [{"key": "bundle", "value": bundle.hash}]
        fields = {"name": model_name("choice"), "source": "s3://elsewhere/model", "tags": tags}
        server.call("POST", "mlflow/model-versions/create", **fields)
    office = market.promote(store, market.champion(flat, 1))
    asked = Cut.at(universe("choice"), market.last, store.snapshot())
    predict(store, office, flat, asked, office.decided_at)
    move_alias(server, "choice", 1)
    return market, server, steep


@pytest.fixture
def served(chosen_from: object, tmp_path: Path) -> Iterator[Predictor]:
    """Predictor and monitoring service as processes."""
    ports = {"PREDICTOR": free_port(), "MONITORING": free_port()}
    environment = os.environ | {f"FINPULSE_{name}_PORT": str(port) for name, port in ports.items()}
    log = tmp_path / "services.log"
    with log.open("ab") as file:
        processes = [
            subprocess.Popen([sys.executable, "-m", *verb], env=environment, stderr=file)
            for verb in (("serving", "run"), ("monitoring", "export"))
        ]
    monitoring = f"http://127.0.0.1:{ports['MONITORING']}/metrics"
    predictor = Predictor(f"http://127.0.0.1:{ports['PREDICTOR']}", processes[0], log)
    try:
        wait_for(lambda: predictor.ready)
        wait_for(lambda: "finpulse_mlflow_up 1.0" in _text(monitoring))
        yield predictor
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


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
    store: Store, chosen_from: tuple[Market, Mlflow, Bundle], served: Predictor
) -> None:
    market, server, steep = chosen_from
    with served.under_load(market, {1: 0.3, 2: 0.7}) as load:
        wait_for(lambda: load.seen(1))
        began = time.monotonic()
        move_alias(server, "choice", 2)
        wait_for(lambda: load.seen(2))
        print(f"served {time.monotonic() - began:.1f} s after the alias moved")
        office = champion(store, "choice")
        assert office is not None and (office.bundle, office.actor) == (steep.hash, "mlflow-ui")
        before = load.answers[200, 1]
        _rolled_back(steep.hash)
        wait_for(lambda: load.answers[200, 1] > before + 30)
    assert load.failures == [] and set(load.answers) == {(200, 1), (200, 2)}
    decisions = store.query("SELECT decision FROM promotions ORDER BY number")
    assert decisions["decision"].to_pylist() == ["promoted", "promoted", "rolled_back"]
