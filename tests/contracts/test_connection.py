"""Connections that wait for nothing for ever, against servers that hang, block and are slow."""

import ast
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pyarrow as pa
import pytest
from mortal import Mortal

from contracts.database import connection
from contracts.database.connection import LIVE, Patience, Unanswered, address, connect, in_time
from contracts.migrations.upgrade import differences
from contracts.settings import SettingsError
from contracts.store import Store, StoreUnavailable
from contracts.tables import SENTIMENTS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("contracts", "etl", "features", "training", "serving", "monitoring", "infra", "dags")
SHORT = Patience(connect=2, statement=1, lock=1)


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[Mortal]:
    """A server with tables; the test hangs it."""
    server = Mortal(tmp_path / "postgres")
    server(True).migrate()
    yield server
    server.end()


def sentiment(number: int = 1) -> pa.Table:
    row = {"text_hash": str(number), "model_version": "m", "p_negative": 0.1, "p_neutral": 0.2}
    row |= {"p_positive": 0.7, "scored_at": 0}
    return pa.Table.from_pylist([row], schema=SENTIMENTS.schema)


def test_only_one_module_makes_connections() -> None:
    made = {"psycopg2.connect", "adbc.connect", "dbapi.connect", "create_engine", "asyncpg.connect"}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in made
    ]
    assert found and {name.split(":")[0] for name in found} == {"contracts/database/connection.py"}


def test_what_the_url_says_of_a_limit_wins() -> None:
    own = "postgresql+psycopg2://me:a%40b@[::1]:5/x?connect_timeout=7&options=-c%20lock_timeout%3D9"
    made = address(own, LIVE)
    assert made.startswith("postgresql://me:a%40b@[::1]:5/x?")
    said = psycopg2.extensions.parse_dsn(made)
    assert said["connect_timeout"] == "7" and said["password"] == "a@b"
    assert said["options"].index("lock_timeout=3s") < said["options"].index("lock_timeout=9")
    with pytest.raises(SettingsError, match="FINPULSE_DATABASE_URL") as refused:
        address("host=me password=secret")
    assert "secret" not in str(refused.value)


def test_an_answer_an_error_and_silence_are_told_apart() -> None:
    assert in_time(9, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        in_time(9, lambda: 1 / 0)
    with pytest.raises(Unanswered):
        in_time(0.05, lambda: time.sleep(5))


@pytest.mark.integration
def test_a_server_that_never_greets_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = Store(f"postgresql://me:x@127.0.0.1:{silent.getsockname()[1]}/x", SHORT)
        with pytest.raises(StoreUnavailable):
            store.query("SELECT 1")
        with pytest.raises(StoreUnavailable), store.connect():
            pass


@pytest.mark.integration
def test_a_server_that_hangs_is_given_up_by_every_kind_of_connection(
    hung: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_GRACE", 0.5)
    store = Store(hung.url, SHORT)
    assert store.record(SENTIMENTS, sentiment()) == 1
    assert store.query("SELECT 1 AS one")["one"].to_pylist() == [1]
    with pytest.raises(psycopg2.OperationalError, match="hangs"):
        with store.connect() as one, one.cursor() as cursor:
            cursor.execute("SELECT 1")
            hung.hang(True)
            cursor.execute("SELECT 2")
    for _ in range(2):  # First on the kept connection, then on a new one.
        with pytest.raises(StoreUnavailable):
            store.query("SELECT 1")
    with pytest.raises((StoreUnavailable, psycopg2.OperationalError)):
        store.record(SENTIMENTS, sentiment(2))
    monkeypatch.setattr("contracts.migrations.upgrade.MIGRATE", SHORT)
    with pytest.raises(Exception, match=r"timeout|hangs"):
        differences(hung.url)
    hung.hang(False)
    assert store.query("SELECT count(*) AS n FROM sentiments")["n"].to_pylist() == [1]


@pytest.mark.troubleshooting("no answer within ... the server hangs, or the network")
@pytest.mark.integration
def test_a_copy_and_a_commit_of_a_server_that_hangs_are_given_up(
    hung: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contracts.database import copy, merge

    monkeypatch.setattr(connection, "_GRACE", 0.2)
    store = Store(hung.url, SHORT)
    with (
        pytest.raises(
            psycopg2.OperationalError,
            match=r"no answer within 1 s: the server hangs, or the network",
        ),
        store.connect() as one,
    ):
        relation = merge.temporary(one, SENTIMENTS)
        hung.hang(True)
        copy.into(one, relation, sentiment())
    hung.hang(False)
    with pytest.raises(psycopg2.OperationalError, match="hangs"), store.connect() as one:
        with one.cursor() as cursor:
            cursor.execute("SELECT 1")
        hung.hang(True)
    hung.hang(False)


@pytest.mark.integration
def test_a_slow_statement_and_a_lock_are_ended_by_the_server(store: Store) -> None:
    quick = Store(store.url, SHORT)
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        quick.query("SELECT pg_sleep(30)")
    with store.connect() as holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLE sentiments")
        with pytest.raises(psycopg2.OperationalError, match="timeout"):
            quick.record(SENTIMENTS, sentiment())


@pytest.mark.integration
def test_the_server_looks_after_its_side(store: Store) -> None:
    with connect(store.url, LIVE) as session, session.cursor() as cursor:
        names = ("statement_timeout", "lock_timeout", "tcp_user_timeout", "tcp_keepalives_idle")
        names += ("idle_in_transaction_session_timeout",)
        shown = []
        for name in names:
            cursor.execute(f"SHOW {name}")
            shown += cursor.fetchone()
    assert shown == ["5s", "3s", "20000", "10", "10s"]
