"""Whatever ends a step, its run in MLflow ends with it."""

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from mortal import Mortal
from waiting_step import ended, states

from contracts.store import Store
from training.run.endings import end_all_lost
from training.run.mlflow_api import Mlflow
from training.run.scope import Scope
from training.run.tracking import step

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_run_with_its_step(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], number: signal.Signals
) -> None:
    universe = market().universe
    assert ended(universe, number) != 0
    assert states(tracking, universe) == ["KILLED"] * 3


def test_a_signal_ends_the_run_while_the_database_hangs(
    tracking: Mlflow,
    market: Callable[..., Scope],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mortal, universe = Mortal(tmp_path / "postgres"), market().universe
    mortal(True).migrate()
    monkeypatch.setenv("FINPULSE_DATABASE_URL", mortal.url)
    try:
        assert ended(universe, signal.SIGTERM, lambda: mortal.hang(True)) == 128 + signal.SIGTERM
        assert states(tracking, universe) == ["KILLED"] * 3
    finally:
        mortal.end()


@pytest.mark.troubleshooting("MLflow run ... of a process that was killed is ended")
def test_the_runs_of_a_killed_process_are_ended_by_the_next_step(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], capsys: Any
) -> None:
    scope = market()
    assert ended(scope.universe, signal.SIGKILL) == -signal.SIGKILL
    assert states(tracking, scope.universe) == ["RUNNING"] * 3
    with step(store, scope, "fit", "xgboost"):
        assert states(tracking, scope.universe) == ["KILLED"] * 2 + ["RUNNING"] * 2
    told = [line for line in capsys.readouterr().err.splitlines() if "MLflow run" in line]
    assert sum("of a process that was killed is ended" in line for line in told) == 3


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


def test_whoever_looks_ends_the_runs_of_all_universes(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    one, other, at_work = (market() for _ in range(3))
    for scope in (one, other):
        ended(scope.universe, signal.SIGKILL)
    with step(store, at_work, "fit", "lstm"):
        assert len(end_all_lost(store, tracking)) == 6
        assert states(tracking, at_work.universe) == ["RUNNING"] * 2
    for scope in (one, other):
        assert states(tracking, scope.universe) == ["KILLED"] * 3
    assert end_all_lost(store, tracking) == []


def test_a_step_that_ends_while_it_is_looked_at_stays_finished(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = market()
    with ExitStack() as opened:
        opened.enter_context(step(store, scope, "fit", "lstm"))

        class Slow(Mlflow):
            def call(self, verb: str, path: str, **fields: Any) -> dict[str, Any]:
                answer = super().call(verb, path, **fields)
                if path == "mlflow/runs/search":
                    opened.close()
                return answer

        assert end_all_lost(store, Slow(tracking.url)) == []
    assert states(tracking, scope.universe) == ["FINISHED"] * 2


def test_locks_of_another_database_with_the_same_mlflow_are_not_judged(
    store: Store,
    tracking: Mlflow,
    market: Callable[..., Scope],
    new_store: Callable[[], AbstractContextManager[Store]],
) -> None:
    scope = market()
    ended(scope.universe, signal.SIGKILL)
    with new_store() as elsewhere:
        assert end_all_lost(elsewhere, tracking) == []
    assert states(tracking, scope.universe) == ["RUNNING"] * 3
    assert len(end_all_lost(store, tracking)) == 3
