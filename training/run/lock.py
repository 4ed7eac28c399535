"""Locks by name that processes of one database hold against each other.

A lock belongs to a session of the database, not to a transaction: nothing waits half done while
it is held, and no time-out for idle transactions ends it. The server may still end the session
(an administrator, a restart); then the lock is free for others, and whoever held it must not
decide anything any more.
"""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import typer

from contracts.database import merge
from contracts.database.connection import HOLD
from contracts.expected import Expected
from contracts.store import Store
from contracts.table import Table

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

# A lock may be held for hours, and waited for as long: it is asked for again and again, so that
# each question is short, and a server that hangs is seen.
_IDLE = "SET idle_session_timeout = 0"
_ASK_SECONDS = 0.5


class LockLost(Expected, RuntimeError):
    """The session that held a lock has ended; the message names the lock."""


class Lock:
    """A lock that is held as long as its session lives."""

    def __init__(self, session: "Connection", name: str) -> None:
        self._session, self._name = session, name

    def require(self) -> None:
        """Make sure that the lock is still held; raises LockLost."""
        import psycopg2

        try:
            self._run("SELECT 1")
        except psycopg2.Error as error:
            raise self._lost(error) from error

    def record(self, table: Table, frame: pa.Table) -> int:
        """As `Store.record`, by the session that holds the lock; raises LockLost.

        So a row is written under the lock or not at all.
        """
        import psycopg2

        try:
            with self._session:
                return merge.record(self._session, table, frame)
        except psycopg2.Error as error:
            if self._session.closed:
                raise self._lost(error) from error
            raise

    def _lost(self, error: Exception) -> LockLost:
        return LockLost(
            f"the lock {self._name!r} was lost: the database ended its session "
            f"({' '.join(str(error).split())}): run the same command again, it does nothing twice"
        )

    def _run(self, statement: str, *values: object) -> object:
        with self._session, self._session.cursor() as cursor:
            cursor.execute(statement, values)
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def _try(self) -> bool:
        return bool(self._run("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", self._name))

    def _acquire(self) -> None:
        import psycopg2

        try:
            self._run(_IDLE)
            waited = False
            while not self._try():
                if not waited:
                    typer.echo(f"waiting for another process that holds {self._name!r}", err=True)
                waited = True
                time.sleep(_ASK_SECONDS)
        except psycopg2.Error as error:
            raise self._lost(error) from error

    def _release(self) -> None:
        import psycopg2

        try:
            self._run("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", self._name)
        except psycopg2.Error as error:
            reason = str(error).strip()
            typer.echo(f"the lock {self._name!r} was lost on the way: {reason}", err=True)


@contextmanager
def locked(store: Store, name: str) -> Iterator[Lock]:
    """Hold the Postgres advisory lock of that name: one process at a time does what is inside.

    Says so when it has to wait. The lock of a process that is killed is free at once. What must
    not happen twice asks the lock first: `require`, or `record` for a row of a ledger.
    """
    with closing(store.session(HOLD)) as session:
        lock = Lock(session, name)
        lock._acquire()
        try:
            yield lock
        finally:
            lock._release()


@contextmanager
def if_free(store: Store, name: str) -> Iterator[Lock | None]:
    """Hold the lock as `locked` does, where nobody else holds it; else None, without waiting.

    Raises psycopg2's OperationalError when the database goes away.
    """
    with closing(store.session(HOLD)) as session:
        lock = Lock(session, name)
        held = lock._try()
        try:
            yield lock if held else None
        finally:
            if held:
                lock._release()
