"""Whatever ends a step, its run in MLflow ends with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.store import Store
from training.run.mlflow_api import Mlflow
from training.run.scope import Scope
from training.run.tracking import step

pytestmark = pytest.mark.integration

# A step that waits in the middle of a child run, with the market of this test's scope.
WAITING = """
import sys, time
from datetime import date
from contracts.cut import Cut
from contracts.store import open_store
from contracts.universe import universe
from training.recipe import recipe
from training.run.scope import Scope
from training.run.tracking import step
scope = Scope(Cut.at(universe(sys.argv[1]), date(2025, 6, 30), 3), recipe("demo"), 60)
with step(open_store(), scope, "tune") as run:
    with run.child("trial 0"):
        print("inside", flush=True)
        time.sleep(600)
"""


def states(server: Mlflow, universe: str) -> list[str]:
    name = f"finpulse-{universe}"
    found = server.call("GET", "mlflow/experiments/get-by-name", experiment_name=name)
    ids = [found["experiment"]["experiment_id"]]
    runs = server.call("POST", "mlflow/runs/search", experiment_ids=ids, max_results=100)["runs"]
    return sorted(run["info"]["status"] for run in runs)


def ended(universe: str, number: signal.Signals) -> int:
    """The exit status of a step that is sent a signal in its middle."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, universe],
        env=os.environ.copy(),
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"inside\n"
    process.send_signal(number)
    return process.wait(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_run_with_its_step(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], number: signal.Signals
) -> None:
    universe = market().universe
    assert ended(universe, number) != 0
    assert states(tracking, universe) == ["KILLED"] * 3


def test_the_runs_of_a_killed_process_are_ended_by_the_next_step(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], capsys: Any
) -> None:
    scope = market()
    assert ended(scope.universe, signal.SIGKILL) == -signal.SIGKILL
    assert states(tracking, scope.universe) == ["RUNNING"] * 3
    with step(store, scope, "fit", "xgboost"):
        assert states(tracking, scope.universe) == ["KILLED"] * 2 + ["RUNNING"] * 2
    assert capsys.readouterr().err.count("of a process that was killed is ended") == 3


def test_the_same_step_ends_what_its_killed_process_left_of_another_scope(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = market()
    ended(scope.universe, signal.SIGKILL)
    with step(store, scope, "tune"):
        assert states(tracking, scope.universe).count("RUNNING") == 2
    assert "RUNNING" not in states(tracking, scope.universe)


def test_a_step_that_runs_beside_is_left_alone(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = market()
    with step(store, scope, "fit", "lstm") as other:
        with step(store, scope, "fit", "xgboost"):
            found = tracking.call("GET", "mlflow/runs/get", run_id=other.id)["run"]
            assert found["info"]["status"] == "RUNNING"
