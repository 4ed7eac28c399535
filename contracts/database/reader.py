"""SELECT into Arrow over a connection that is kept, one per thread."""

import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, cast

import pyarrow as pa

from contracts.database.connection import WORK, Patience, Unanswered, connect_arrow, in_time


class Reader:
    """Runs queries of one database and opens its connection anew when it was lost."""

    def __init__(self, url: str, patience: Patience = WORK) -> None:
        self.url = url
        self._patience = patience
        self._threads = threading.local()

    def _kept(self) -> "_Kept":
        if not hasattr(self._threads, "kept"):
            self._threads.kept = _Kept(self.url, self._patience)
        return cast(_Kept, self._threads.kept)

    def close(self) -> None:
        """Close this thread's connection; the next query opens another."""
        self._kept().close()

    def fetch(self, statement: str) -> pa.Table:
        """All rows of the statement; a connection lost while idle is opened anew, once.

        Raises the driver's OperationalError when the database does not answer, and Unanswered
        when it does not even refuse.
        """
        import adbc_driver_manager as driver

        kept = self._kept()
        for fresh in (kept.connection is None, True):
            try:
                return self._in_time(kept, statement)
            except (driver.OperationalError, driver.InternalError):
                kept.close()
                if fresh:
                    raise
        raise AssertionError("a fresh connection answers or raises")

    def _in_time(self, kept: "_Kept", statement: str) -> pa.Table:
        try:
            return in_time(self._patience.answer, partial(kept.run, statement))
        except Unanswered:
            # The thread that waits has the connection: neither is touched any more.
            del self._threads.kept
            raise


class _Kept:
    """One thread's connection, which another thread asks on its behalf."""

    def __init__(self, url: str, patience: Patience) -> None:
        self._url = url
        self._patience = patience
        self.connection: Any = None

    def run(self, statement: str) -> pa.Table:
        if self.connection is None:
            self.connection = connect_arrow(self._url, self._patience)
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return cast(pa.Table, cursor.fetch_arrow_table())

    def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()


def bind(statement: str, values: Sequence[object]) -> str:
    """The statement with each `%s` replaced by a quoted literal.

    The driver's own parameters know no arrays and would infer types the planner cannot prune by.
    """
    parts = statement.split("%s")
    if len(parts) != len(values) + 1:
        raise ValueError(f"expected {len(parts) - 1} values, found {len(values)}: {statement}")
    literals = [*map(_literal, values), ""]
    return "".join(part + literal for part, literal in zip(parts, literals, strict=True))


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float):
        return f"'{value}'::double precision"
    if isinstance(value, datetime):
        # In UTC: Postgres knows no offset of sixteen hours or more.
        at = value.astimezone(UTC) if value.tzinfo else value
        return f"'{at.isoformat()}'::timestamptz"
    if isinstance(value, date):
        return f"'{value.isoformat()}'::date"
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("Postgres text cannot hold a NUL character")
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, Sequence):
        return f"ARRAY[{', '.join(map(_literal, value))}]" if value else "'{}'"
    raise TypeError(f"cannot pass a {type(value).__name__} to a query: {value!r}")
