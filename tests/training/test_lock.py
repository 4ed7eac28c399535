"""A lock is held as long as its session lives, and no longer decides when that has ended."""

import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from contracts.champion import PROMOTED
from contracts.database.connection import WORK
from contracts.store import Store
from contracts.tables import PROMOTIONS
from training.run.lock import LockLost, locked

pytestmark = pytest.mark.integration

NOW = datetime(2025, 7, 1, tzinfo=UTC)
ROW: dict[str, Any] = {
    "promotion_id": "one",
    "universe": "sim",
    "target": "trend_1",
    "decision": PROMOTED,
    "cause": "person",
    "bundle": "a" * 64,
    "model_name": "finpulse-sim",
    "model_version": 1,
    "previous_bundle": None,
    "actor": "test",
    "reason": "",
    "evidence": "{}",
    "decided_at": NOW,
}
FRAME = pa.Table.from_pylist([ROW], schema=PROMOTIONS.schema)
HOLDERS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM "
HOLDERS += "pg_database WHERE datname = current_database())"


def end_holders(store: Store) -> int:
    """End every session that holds a lock, as an administrator or a time-out would."""
    ended = store.query(f"SELECT pg_terminate_backend(pid) AS ended FROM ({HOLDERS}) AS holders")
    while store.query(HOLDERS).num_rows:
        time.sleep(0.01)
    return ended.num_rows


def free(store: Store, name: str) -> bool:
    [row] = store.query(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS got", (name,)
    ).to_pylist()
    return bool(row["got"])


def test_a_row_is_written_under_the_lock_once(store: Store) -> None:
    with locked(store, "office sim") as lock:
        assert not free(store, "office sim") and free(store, "office other")
        assert (lock.record(PROMOTIONS, FRAME), lock.record(PROMOTIONS, FRAME)) == (1, 0)
        assert store.query("SELECT * FROM promotions").num_rows == 1, "seen by all at once"
        assert not free(store, "office sim"), "the row's transaction did not end the lock"
    assert free(store, "office sim")


@pytest.mark.troubleshooting("the lock ... was lost")
def test_a_lock_whose_session_was_ended_decides_nothing(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LockLost, match=r"the lock 'office sim' was lost.*run the same command"):
        with locked(store, "office sim") as lock:
            lock.require()
            assert end_holders(store) == 1
            lock.record(PROMOTIONS, FRAME)
    assert store.query("SELECT * FROM promotions").num_rows == 0
    assert "'office sim' was lost on the way" in capsys.readouterr().err


def test_a_lost_lock_is_told_before_anything_is_done(store: Store) -> None:
    with pytest.raises(LockLost):
        with locked(store, "mlflow run 1") as lock:
            end_holders(store)
            lock.require()


def test_a_lock_lost_by_who_decided_nothing_is_told_and_the_work_stays(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with locked(store, "training of sim"):
        end_holders(store)
    assert "'training of sim' was lost on the way" in capsys.readouterr().err


def test_an_error_inside_is_not_hidden_by_the_loss(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        with locked(store, "training of sim"):
            end_holders(store)
            raise ZeroDivisionError


@pytest.mark.parametrize(
    "limit", ["idle_in_transaction_session_timeout", "idle_session_timeout", "statement_timeout"]
)
def test_no_time_out_of_the_server_ends_a_lock(store: Store, limit: str) -> None:
    name = store.url.rsplit("/", 1)[1]
    with closing(store.session(WORK)) as former, former.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET {limit} = '200ms'")
        former.commit()
        with locked(store, "office sim") as lock:
            # Only the lock's session is to have the limit, not those that look at it.
            cursor.execute(f"ALTER DATABASE {name} RESET {limit}")
            former.commit()
            time.sleep(0.6)
            lock.require()
            assert not free(store, "office sim")
