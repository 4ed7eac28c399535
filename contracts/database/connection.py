"""The one place that connects to a database: nothing that asks one waits for ever.

A server ends what takes too long by itself (`statement_timeout`, `lock_timeout`). One that hangs
does not even do that, while its kernel still acknowledges every packet, so that no TCP time-out
helps: some seconds later the caller gives up by itself.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from contracts.expected import Expected
from contracts.settings import SettingsError
from contracts.signals import given_up_when_told

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from sqlalchemy import Engine

T = TypeVar("T")

# What a server that lives needs at most to end a statement whose time is up.
_GRACE = 2.0
# Two lost probes of a peer that is gone (a cable, a power cut), in either direction.
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2}
_TCP_MILLISECONDS = 20_000


class Unanswered(Expected, ConnectionError):
    """The server did not answer in time: it hangs, or the network does."""


@dataclass(frozen=True)
class Patience:
    """How long one use of the database waits, in seconds.

    connect: for a connection. statement: for one statement. lock: for a lock within it; 0: as long
    as the server lets it, for `address` alone. idle: for its next statement within a transaction,
    after which the server takes the locks away; 0: as long as the process lives.
    """

    connect: int
    statement: int
    lock: int
    idle: int = 300

    @property
    def answer(self) -> float:
        """When to give up on a server that does not even end the statement."""
        return self.statement + _GRACE

    def parameters(self) -> dict[str, str]:
        """libpq's parameters that hold this."""
        tcp = {"tcp_user_timeout": str(_TCP_MILLISECONDS)}
        asked = {"statement_timeout": self.statement, "lock_timeout": self.lock}
        limits = {name: f"{seconds}s" for name, seconds in asked.items() if seconds}
        limits["idle_in_transaction_session_timeout"] = f"{self.idle}s"
        limits |= {f"tcp_{name}": str(value) for name, value in _KEEPALIVE.items()}
        session = " ".join(f"-c {name}={value}" for name, value in (limits | tcp).items())
        ours = {"connect_timeout": str(self.connect), "keepalives": "1", "options": session}
        return ours | tcp | {name: str(value) for name, value in _KEEPALIVE.items()}


# Tasks: histories are read and appended whole. Where two loads meet, the later one waits.
WORK = Patience(connect=10, statement=3_600, lock=1_800)
# Services that others wait for.
LIVE = Patience(connect=3, statement=5, lock=3, idle=10)
# What a service asks for beside its work, with nobody waiting: sums over histories.
ASIDE = Patience(connect=3, statement=120, lock=3)
# Revisions move whole tables; a session that holds a lock for others is idle by design.
MIGRATE = Patience(connect=10, statement=6 * 3_600, lock=600, idle=0)
HOLD = Patience(connect=10, statement=10, lock=10, idle=0)

# Airflow and MLflow, which know best how long their own statements and migrations take. What one of
# them that was killed left open must end, or its locks would stop the next one for good.
OTHERS = Patience(connect=10, statement=0, lock=0, idle=30)


def address(url: str, patience: Patience = WORK, driver: str = "") -> str:
    """The URL with the limits in it, for what connects by itself; what it says of them wins.

    driver: SQLAlchemy's name for one. Raises SettingsError, which does not show the URL.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme.split("+")[0] not in ("postgresql", "postgres"):
        raise SettingsError(
            "FINPULSE_DATABASE_URL: expected postgresql://user:password@host:port/database, found "
            "another form"
        )
    place, _, asks = url.partition("?")
    ours, asked = patience.parameters(), dict(parse_qsl(asks))
    # Of a parameter named twice among the options, the later one counts.
    session = f"{ours['options']} {asked.get('options', '')}".strip()
    query = urlencode(ours | asked | {"options": session}, quote_via=quote)
    named = "postgresql" + (f"+{driver}" if driver else "")
    return f"{named}://{place.partition('://')[2]}?{query}"


def connect(url: str, patience: Patience = WORK) -> "Connection":
    """A psycopg2 connection that keeps to the limits; raises its OperationalError."""
    import psycopg2
    from psycopg2.extensions import connection, cursor

    class Cursor(cursor):
        def execute(self, *given: Any) -> None:
            with _bounded(self.connection, patience.answer):
                super().execute(*given)

        def copy_expert(self, *given: Any) -> None:
            with _bounded(self.connection, patience.answer):
                super().copy_expert(*given)

    class Bounded(connection):
        def commit(self) -> None:
            with _bounded(self, patience.answer):
                super().commit()

        def rollback(self) -> None:
            if self.closed:  # What broke it is told, not that it is broken.
                return
            with _bounded(self, patience.answer):
                super().rollback()

    return psycopg2.connect(
        address(url, patience), connection_factory=Bounded, cursor_factory=Cursor
    )


def connect_arrow(url: str, patience: Patience = WORK) -> Any:
    """An ADBC connection that keeps to the limits of the server; see `in_time` for the rest.

    In autocommit: a transaction left open would pin dead rows and locks.
    """
    import adbc_driver_postgresql.dbapi as adbc

    return adbc.connect(address(url, patience), autocommit=True)


def engine(url: str, patience: Patience = WORK) -> "Engine":
    """A SQLAlchemy engine whose connections are of the same kind."""
    from sqlalchemy import NullPool, create_engine

    return create_engine(
        "postgresql+psycopg2://", creator=lambda: connect(url, patience), poolclass=NullPool
    )


def in_time(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` returns or raises; raises Unanswered when it takes longer.

    It goes on in its thread then, which keeps no process alive: nothing of it may be used again.
    """
    answers: list[tuple[T | None, BaseException | None]] = []

    def run() -> None:
        try:
            answers.append((ask(), None))
        except BaseException as error:
            answers.append((None, error))

    thread = threading.Thread(target=run, name="asks the database", daemon=True)
    thread.start()
    thread.join(seconds)
    if not answers:
        raise Unanswered(f"no answer within {seconds:.0f} s: the server hangs, or the network")
    [(answer, error)] = answers
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]


@contextmanager
def _bounded(connection: "Connection", seconds: float) -> Iterator[None]:
    import psycopg2

    # The number is taken now: later it may be another file's.
    try:
        ours = socket.socket(fileno=os.dup(connection.fileno()))
    except psycopg2.InterfaceError:  # It is closed: the call itself says so.
        yield
        return
    late = threading.Event()

    def give_up() -> None:
        late.set()
        with suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        with given_up_when_told(give_up):
            yield
    except psycopg2.Error as error:
        if not late.is_set():
            raise
        told = f"no answer within {seconds:.0f} s: the server hangs, or the network"
        raise psycopg2.OperationalError(told) from error
    finally:
        timer.cancel()
        ours.close()
