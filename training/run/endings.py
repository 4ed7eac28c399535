"""How steps end that do not end by themselves: told to by a signal, or killed."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from contracts.store import Store
from training.run.mlflow_api import Mlflow

# The tag that names the lock which the process of a run holds while it lives.
LOCK = "finpulse.lock"
_TOLD = (signal.SIGTERM, signal.SIGHUP)


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


def _leave(number: int, _: FrameType | None) -> None:
    # Once is enough: a second signal must not break the closing.
    for each in _TOLD:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def end_lost(store: Store, server: Mlflow, experiment: str, mine: str) -> list[str]:
    """End the experiment's runs whose processes are gone as KILLED; returns their ids.

    A run's process holds the lock that its tag names: a lock that is free has no process, and
    `mine`, which this process holds and has opened no run under yet, has no other.
    """
    query = {"experiment_ids": [experiment], "filter": "attributes.status = 'RUNNING'"}
    runs = server.call("POST", "mlflow/runs/search", max_results=1000, **query).get("runs", [])
    lost = []
    for run in runs:
        tags = {tag["key"]: tag["value"] for tag in run.get("data", {}).get("tags", [])}
        if LOCK in tags and (tags[LOCK] == mine or _is_free(store, tags[LOCK])):
            lost.append(str(run["info"]["run_id"]))
    for run_id in lost:
        ended = {"status": "KILLED", "end_time": int(time.time() * 1000)}
        server.call("POST", "mlflow/runs/update", run_id=run_id, **ended)
    return lost


def _is_free(store: Store, name: str) -> bool:
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (name,))
        return cursor.fetchone() == (True,)
