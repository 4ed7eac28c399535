"""How steps end that do not end by themselves: told to by a signal, or killed.

A run in MLflow belongs to a lock that its process holds while it lives. Who finds the lock free
ends the run: the monitoring service some seconds later, or else the next step.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from contracts.process.signals import leave
from contracts.store import Store
from training.run.lock import if_free
from training.run.mlflow_api import Mlflow

# The tags that name the lock which the process of a run holds while it lives, and the database that
# the lock is one of: several may share one MLflow.
LOCK = "finpulse.lock"
DATABASE = "finpulse.database"
_TOLD = (signal.SIGTERM, signal.SIGHUP)


def experiment_of(universe: str) -> str:
    """The MLflow experiment of all trainings of a universe, whatever they foretell."""
    return f"finpulse-{universe}"


@contextmanager
def told_by_signals() -> Iterator[None]:
    """While inside, SIGTERM and SIGHUP raise SystemExit: what is open is closed on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Under `nohup` a closed terminal is to be no matter.
    heard = [each for each in _TOLD if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _leave) for number in heard}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _leave(number: int, frame: FrameType | None) -> None:
    # Once is enough: a second signal must not break the closing.
    for each in _TOLD:
        signal.signal(each, signal.SIG_IGN)
    leave(number, frame)


def tags(store: Store, lock: str) -> dict[str, str]:
    """What a run carries so that it is known whether its process is gone."""
    [row] = store.query(
        "SELECT system_identifier::text AS server, current_database()::text AS name "
        "FROM pg_control_system()"
    ).to_pylist()
    return {LOCK: lock, DATABASE: f"{row['server']}/{row['name']}"}


def end_all_lost(store: Store, server: Mlflow) -> list[str]:
    """As `end_lost`, in the experiments of all universes."""
    ours = {"filter": f"name LIKE '{experiment_of('%')}'", "max_results": 1000}
    found = server.call("POST", "mlflow/experiments/search", **ours).get("experiments", [])
    return end_lost(store, server, [each["experiment_id"] for each in found])


def end_lost(
    store: Store, server: Mlflow, experiments: list[str], mine: str | None = None
) -> list[str]:
    """End the experiments' runs whose processes are gone as KILLED; returns their ids.

    A lock that is free has no process, and `mine`, which this process holds and has opened no run
    under yet, has no other.
    """
    query = {"experiment_ids": experiments, "filter": "attributes.status = 'RUNNING'"}
    path = "mlflow/runs/search"
    running = server.call("POST", path, max_results=1000, **query) if experiments else {}
    lost, here = [], tags(store, "")[DATABASE]
    for run in running.get("runs", []):
        lock = _lock(run, here)
        if lock is None:
            continue
        if lock == mine:
            lost.append(_end(server, run))
            continue
        with if_free(store, lock) as held:
            # Its process may have ended it, and let the lock go, since it was found.
            if held and _lock(_now(server, run), here) == lock:
                held.require()
                lost.append(_end(server, run))
    return lost


def _lock(run: dict[str, Any], database: str) -> str | None:
    """The lock of a run that is at work; None where that is not for us to judge."""
    found = {tag["key"]: tag["value"] for tag in run.get("data", {}).get("tags", [])}
    ours = found.get(DATABASE, database) == database and run["info"]["status"] == "RUNNING"
    return found.get(LOCK) if ours else None


def _now(server: Mlflow, run: dict[str, Any]) -> dict[str, Any]:
    return dict(server.call("GET", "mlflow/runs/get", run_id=run["info"]["run_id"])["run"])


def _end(server: Mlflow, run: dict[str, Any]) -> str:
    run_id, ended = str(run["info"]["run_id"]), int(time.time() * 1000)
    server.call("POST", "mlflow/runs/update", run_id=run_id, status="KILLED", end_time=ended)
    return run_id
