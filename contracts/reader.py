"""SELECT into Arrow over a connection that is kept, one per thread."""

import threading
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, cast

import pyarrow as pa


class Reader:
    """Runs queries of one database and opens its connection anew when it was lost."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._kept = threading.local()

    def _connection(self) -> Any:
        import adbc_driver_postgresql.dbapi as adbc

        if getattr(self._kept, "connection", None) is None:
            # Autocommit: a transaction left open would pin dead rows and locks.
            self._kept.connection = adbc.connect(self.url, autocommit=True)
        return self._kept.connection

    def close(self) -> None:
        """Close this thread's connection; the next query opens another."""
        connection, self._kept.connection = getattr(self._kept, "connection", None), None
        if connection is not None:
            connection.close()

    def fetch(self, statement: str) -> pa.Table:
        """All rows of the statement; a connection lost while idle is opened anew, once.

        Raises the driver's OperationalError when the database does not answer.
        """
        import adbc_driver_manager as driver

        kept = getattr(self._kept, "connection", None) is not None
        try:
            return self._run(statement)
        except (driver.OperationalError, driver.InternalError):
            self.close()
            if not kept:
                raise
        return self._run(statement)

    def _run(self, statement: str) -> pa.Table:
        with self._connection().cursor() as cursor:
            cursor.execute(statement)
            return cast(pa.Table, cursor.fetch_arrow_table())


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
        return f"'{value.isoformat()}'::timestamptz"
    if isinstance(value, date):
        return f"'{value.isoformat()}'::date"
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("Postgres text cannot hold a NUL character")
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, Sequence):
        return f"ARRAY[{', '.join(map(_literal, value))}]" if value else "'{}'"
    raise TypeError(f"cannot pass a {type(value).__name__} to a query: {value!r}")
