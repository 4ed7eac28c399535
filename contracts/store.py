"""Facts that are never forgotten: append versions, read what was known.

Every fact has three clocks: what it is about (`event_time` or its like), when anyone could know
it (`known_at`) and when this database had it (`load_id`, in commit order).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from contracts.context import git_commit, run_context
from contracts.database import connection as connections
from contracts.database import copy, merge
from contracts.database.conditions import known
from contracts.database.connection import WORK, Patience, Unanswered
from contracts.database.reader import Reader, bind
from contracts.expected import Expected
from contracts.settings import settings
from contracts.table import LOAD_ID, Table, quoted

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

# One lock orders all commits that draw a load id; it is held from the draw to the commit.
_LOAD_LOCK = 7_411_000


class OriginError(Expected, ValueError):
    """Simulated and real facts were about to meet in one database."""


class StoreUnavailable(Expected, ConnectionError):
    """The database cannot be reached; the message names it."""


class StatementFailed(Expected, RuntimeError):
    """The database answers and refuses a statement; the message says why."""


# Beginnings of SQLSTATE by which a server takes leave: of the connection, shutting down, or of a
# statement or a lock whose time is up.
_LEAVING = ("08", "57P0", "57014", "55P03")


def lost(sqlstate: str | None) -> bool:
    """Whether a failure means that the database is away, and not that a statement failed."""
    named = (sqlstate or "").strip("\x00 ")
    return not named or named.startswith(_LEAVING)


@dataclass(frozen=True)
class Load:
    """What an append did. `load_id` is None when no row was added: nothing was committed."""

    load_id: int | None
    added: int
    dropped: int


@dataclass(frozen=True)
class Provenance:
    """Where rows come from, kept with every load.

    origin: `simulated` or `real`; a database holds one of them only.
    vintages: True when the source itself states each row's `known_at`, so that an exact
    statement already stored is the same one; False when it always shows its latest value.
    market: what decides a made market (None where nothing is made); a database holds one.
    """

    verb: str
    source: str
    origin: str
    vintages: bool = False
    market: str | None = None


class Store:
    """The tables of one database."""

    def __init__(self, url: str, patience: Patience = WORK) -> None:
        self.url = url
        self.patience = patience
        self._reader = Reader(url, patience)

    @contextmanager
    def connect(self) -> Iterator["Connection"]:
        """A psycopg2 connection; commits on success, rolls back on error, always closes.

        Raises StoreUnavailable, and psycopg2's OperationalError when it is lost on the way.
        """
        with closing(self.session(self.patience)) as connection, connection:
            yield connection

    def session(self, patience: Patience) -> "Connection":
        """A psycopg2 connection that is the caller's to commit and to close."""
        import psycopg2

        try:
            return connections.connect(self.url, patience)
        except psycopg2.OperationalError as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Close the connection that this thread's reads have kept."""
        self._reader.close()

    def migrate(self) -> None:
        """Bring the tables to the newest revision; safe to repeat and to run concurrently.

        Raises StoreUnavailable.
        """
        from contracts.migrations.upgrade import upgrade

        with self.connect():
            pass  # says so where nobody answers
        upgrade(self.url)

    def snapshot(self) -> int:
        """The newest committed load id; 0 in an empty database."""
        newest = self.query("SELECT coalesce(max(load_id), 0) AS load_id FROM loads")
        return int(newest["load_id"][0].as_py())

    def append(
        self, table: Table, frame: pa.Table, origin: Provenance, fetched_at: datetime | None = None
    ) -> Load:
        """Add the frame's facts: equal rows are dropped, differing ones become new versions.

        frame: the columns of `table.schema`. A row that differs from the newest stored version
        without claiming a later `known_at` is known from `fetched_at` (UTC; default: now) on.
        Raises FrameError, OriginError, StoreUnavailable.
        """
        checked = table.check(frame)
        with self.connect() as connection:
            copy.into(connection, merge.temporary(connection, table), checked)
            return self._merge(connection, table, merge.INCOMING, origin, fetched_at)

    def append_staged(
        self, table: Table, relation: str, origin: Provenance, fetched_at: datetime | None = None
    ) -> Load:
        """As `append`, of rows that lie in `relation`, a staging table of the same columns."""
        with self.connect() as connection:
            return self._merge(connection, table, relation, origin, fetched_at)

    def _merge(
        self,
        connection: "Connection",
        table: Table,
        relation: str,
        origin: Provenance,
        fetched_at: datetime | None,
    ) -> Load:
        started = datetime.now(UTC)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOAD_LOCK,))
            cursor.execute("SELECT coalesce(max(load_id), 0) + 1 FROM loads")
            load_id = cast(int, cursor.fetchone()[0])  # type: ignore[index]
            _refuse_other_origin(cursor, origin)
            _refuse_other_market(cursor, origin)
            total, added = merge.run(
                cursor, table, relation, load_id, fetched_at or started, origin.vintages
            )
            if added == 0:
                return Load(None, 0, total)
            whence = (origin.verb, origin.source, origin.origin, run_context().airflow_run)
            cursor.execute(
                "INSERT INTO loads VALUES "
                "(%s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp(), %s)",
                (load_id, table.name, *whence, git_commit(), added, started, origin.market),
            )
            return Load(load_id, added, total - added)

    def read(
        self,
        table: Table,
        as_of: datetime,
        snapshot: int,
        where: Mapping[str, object] | None = None,
        columns: Sequence[str] = (),
    ) -> pa.Table:
        """The newest version of each fact known at `as_of` among loads up to `snapshot`.

        as_of: an aware datetime. where: column -> value, list of values, or (low, high) tuple,
        bounds included, either None for open. Returns `columns` (default: all) and sorts by key.
        """
        condition, values = known(table, as_of, snapshot, where)
        key = ", ".join(quoted(table.key))
        chosen = ", ".join(quoted(tuple(columns) or (*table.names, LOAD_ID)))
        # Two versions of a key never share a known_at: that is the primary key.
        return self.query(
            f"SELECT DISTINCT ON ({key}) {chosen} FROM {table.name} WHERE {condition} "
            f"ORDER BY {key}, known_at DESC",
            values,
        )

    def versions(
        self,
        table: Table,
        as_of: datetime,
        snapshot: int,
        where: Mapping[str, object] | None = None,
        columns: Sequence[str] = (),
    ) -> pa.Table:
        """As `read`, but every version of each fact, oldest first.

        For asking when something became known (restatements, late facts); what was true at a
        moment is asked of `read`.
        """
        condition, values = known(table, as_of, snapshot, where)
        order = ", ".join([*quoted(table.key), "known_at", LOAD_ID])
        chosen = ", ".join(quoted(tuple(columns) or (*table.names, LOAD_ID)))
        return self.query(
            f"SELECT {chosen} FROM {table.name} WHERE {condition} ORDER BY {order}", values
        )

    def record(self, table: Table, frame: pa.Table) -> int:
        """Insert ledger rows; a row whose key is already there is left as it is.

        Returns the number of rows added. Raises FrameError, StoreUnavailable.
        """
        with self.connect() as connection:
            return merge.record(connection, table, frame)

    def query(self, statement: str, values: Sequence[object] = ()) -> pa.Table:
        """Rows of a SELECT on ledgers as Arrow; `%s` marks values. Facts go through `read`.

        Raises StoreUnavailable, and StatementFailed where the database answers and refuses.
        """
        import adbc_driver_manager as driver

        try:
            return self._reader.fetch(bind(statement, values))
        except Unanswered as error:
            raise unavailable(error) from error
        except driver.OperationalError as error:
            if lost(error.sqlstate):
                raise unavailable(error) from error
            raise StatementFailed(f"the database refuses a statement: {error}") from error


def unavailable(error: Exception) -> StoreUnavailable:
    """The driver's error as one that says what to do."""
    return StoreUnavailable(
        f"the database does not answer: {str(error).strip()}; start the stack with `make up` "
        "or correct FINPULSE_DATABASE_URL"
    )


def _refuse_other_origin(cursor: Any, origin: Provenance) -> None:
    cursor.execute("SELECT origin FROM loads LIMIT 1")
    row = cursor.fetchone()
    if row and row[0] != origin.origin:
        raise OriginError(
            f"this database holds {row[0]} facts and {origin.source!r} brings {origin.origin} "
            "ones: use another database (FINPULSE_DATABASE_URL)"
        )


def _refuse_other_market(cursor: Any, origin: Provenance) -> None:
    cursor.execute("SELECT market FROM loads WHERE market IS NOT NULL ORDER BY load_id LIMIT 1")
    row = cursor.fetchone()
    if row and origin.market is not None and row[0] != origin.market:
        raise OriginError(
            f"this database holds the simulated market of {row[0]}, and the settings ask for that "
            f"of {origin.market}: set them back (FINPULSE_SIM_..., FINPULSE_CALENDAR), or use "
            "another database (`make clean`, FINPULSE_DATABASE_URL)"
        )


def open_store(patience: Patience = WORK) -> Store:
    """The store of the settings' database; raises SettingsError when none is set."""
    return Store(settings().database, patience)
