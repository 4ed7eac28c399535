"""Revisions arrive at the declared tables, and an older database keeps its rows."""

from datetime import UTC, datetime
from uuid import uuid4

import postgres as launcher
import psycopg2
import pytest

from contracts.champion import Office, reign
from contracts.migrations import upgrade
from contracts.store import Store
from contracts.tables import BARS, PROMOTIONS, TABLES

pytestmark = pytest.mark.integration
WHEN = datetime(2014, 6, 9, 20, tzinfo=UTC)


@pytest.fixture
def empty(postgres_url: str) -> Store:
    name = f"test_{uuid4().hex}"
    launcher.create_database(postgres_url, name)
    return Store(postgres_url.rsplit("/", 1)[0] + f"/{name}")


def test_the_newest_revision_is_what_is_declared(empty: Store) -> None:
    empty.migrate()
    empty.migrate()
    mend = 'write the revision: `make up`, then `python -m contracts revise "why"`'
    assert upgrade.differences(empty.url) == [], mend


def test_a_drifted_database_is_seen(empty: Store) -> None:
    empty.migrate()
    with empty.connect() as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE actions ADD COLUMN stray text")
    assert len(upgrade.differences(empty.url)) == 1


def test_an_older_database_keeps_its_rows(empty: Store) -> None:
    upgrade.upgrade(empty.url, "0001")
    with empty.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO bars SELECT 'A', '1d', '2014-06-09', NULL, %s, 'files', "
            "1, 2, 0.5, 1.5, 10, 'none', %s, 1",
            (WHEN, WHEN),
        )
    empty.migrate()
    assert empty.read(BARS, WHEN, 1)["close"].to_pylist() == [1.5]
    assert upgrade.differences(empty.url) == []


def test_promotions_of_before_keep_their_order_and_new_ones_come_after(empty: Store) -> None:
    upgrade.upgrade(empty.url, "0007")
    insert = "INSERT INTO promotions VALUES (%s, 'u', 'promoted', %s, 'm', 1, NULL, '', '', '{}', "
    insert += "now() + %s * interval '1 hour')"
    with empty.connect() as connection, connection.cursor() as cursor:
        for name, hours in (("b", 2), ("c", 3), ("a", 1)):
            cursor.execute(insert, (name, name, hours))
    empty.migrate()
    names = ", ".join(name for name in PROMOTIONS.names if name not in ("target", "cause"))
    insert = insert.replace("VALUES (", "VALUES ('trend_1', 'person', ")
    with empty.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            f"{insert.replace('promotions', f'promotions (target, cause, {names})')}",
            ("d", "d", -9),
        )
    ordered = empty.query("SELECT bundle, number FROM promotions ORDER BY number")
    assert ordered["bundle"].to_pylist() == ["a", "b", "c", "d"]
    assert [one.bundle for one in reign(empty, Office("u", "trend_1"))] == ["d", "c", "b", "a"]
    with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
        with empty.connect() as connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM promotions")


def test_every_table_and_partition_refuses_change(empty: Store) -> None:
    empty.migrate()
    for table in (*TABLES, "bars_2014", "bars_other"):
        for verb in ("DELETE FROM", "TRUNCATE"):
            with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
                with empty.connect() as connection, connection.cursor() as cursor:
                    cursor.execute(f"{verb} {table}")


def test_a_decade_of_an_instrument_reads_only_its_partitions(empty: Store) -> None:
    empty.migrate()
    with empty.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN SELECT * FROM bars WHERE instrument_id = 'A' AND interval = '1d' "
            "AND event_time >= '2014-02-01' AND event_time < '2015-02-01'"
        )
        plan = " ".join(row[0] for row in cursor.fetchall())
    assert "bars_2014" in plan and "bars_2015" in plan and "bars_2016" not in plan


@pytest.mark.parametrize("role", ["finpulse_writer", "finpulse_reader"])
def test_roles_may_do_their_part_and_no_more(empty: Store, role: str) -> None:
    empty.migrate()

    def attempt(statement: str) -> bool:
        try:
            with empty.connect() as connection, connection.cursor() as cursor:
                cursor.execute(f"SET ROLE {role}")
                cursor.execute(statement)
        except psycopg2.errors.InsufficientPrivilege:
            return False
        return True

    writer = role == "finpulse_writer"
    assert attempt("SELECT * FROM bars")
    assert attempt("INSERT INTO actions SELECT * FROM actions") == writer
    assert attempt("CREATE TABLE staging.mine (a int)") == writer
    # The predictor reads, and logs the calls that it answered.
    assert attempt("INSERT INTO requests SELECT * FROM requests")
    assert not attempt("DROP TABLE bars")
    assert not attempt("ALTER TABLE bars DISABLE TRIGGER append_only")
    assert not attempt("CREATE TABLE mine (a int)")
