"""Locks by name that one process in the world holds at a time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from contracts import connection as connections
from contracts.store import Store, unavailable

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

# Asked again and again, not waited for: each question is short, and a server that hangs is seen.
_ASK_SECONDS = 0.5
_KEY = "hashtextextended(%s, 0)"


@contextmanager
def held(store: Store, name: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the Postgres advisory lock of that name, waiting for it as long as another has it.

    It is free at once when this process is killed. `tell` hears that there is somebody to wait
    for, and that the server took the lock away before the end. Raises StoreUnavailable.
    """
    import psycopg2

    try:
        session = connections.connect(store.url, connections.HOLD)
    except psycopg2.OperationalError as error:
        raise unavailable(error) from error
    try:
        # Outside a transaction: none is left open that a server would end for being idle.
        session.autocommit = True
        with session.cursor() as cursor:
            _take(cursor, name, tell)
            yield
            try:
                cursor.execute(f"SELECT pg_advisory_unlock({_KEY})", (name,))
            except psycopg2.Error as error:
                said = " ".join(str(error).split())
                tell(
                    f"the lock {name!r} was lost before its end ({said}): another process may "
                    "have done the same meanwhile"
                )
    finally:
        session.close()


def _take(cursor: "Cursor", name: str, tell: Callable[[str], None]) -> None:
    waited = False
    while True:
        cursor.execute(f"SELECT pg_try_advisory_lock({_KEY})", (name,))
        if cursor.fetchone() == (True,):
            return
        if not waited:
            tell(f"waiting for another process that holds {name!r}")
        waited = True
        time.sleep(_ASK_SECONDS)
