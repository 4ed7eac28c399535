"""What is said of a failure: a statement that fails is not a lost database."""

import psycopg2
import pytest

from contracts.outages import told
from contracts.store import StatementFailed, Store

pytestmark = pytest.mark.integration

_TOO_LONG = """CREATE TEMP TABLE held (id text PRIMARY KEY);
INSERT INTO held SELECT string_agg(md5(i::text), '') FROM generate_series(1, 900) i"""


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("SELECT 1 / 0", "DivisionByZero 22012"),
        (_TOO_LONG, "ProgramLimitExceeded 54000"),
        ("SELECT 'x'::int", "InvalidTextRepresentation 22P02"),
        ("SELECT nothing", "UndefinedColumn 42703"),
    ],
)
def test_a_failed_statement_is_told_as_one(store: Store, statement: str, named: str) -> None:
    with pytest.raises(psycopg2.Error) as raised, store.connect() as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    said = told(raised.value)
    assert said is not None and said.startswith("StatementFailed: ") and named in said
    assert "lost" not in said


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        # One that does not answer in time is away, for whoever waits.
        "SET statement_timeout = 1; SELECT pg_sleep(9)",
    ],
)
def test_a_database_that_takes_leave_is_lost(store: Store, statement: str) -> None:
    with pytest.raises(psycopg2.Error) as raised, store.connect() as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    said = told(raised.value)
    assert said is not None and said.startswith("StoreUnavailable: the database was lost: ")


def test_a_query_that_is_refused_is_no_lost_database(store: Store) -> None:
    with pytest.raises(Exception, match="division by zero") as raised:
        store.query("SELECT 1 / 0")
    assert isinstance(raised.value, StatementFailed) or "lost" not in str(raised.value)
