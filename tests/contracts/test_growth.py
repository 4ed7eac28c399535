"""Ledgers that grow: counts that are always the number of rows, and calls that are kept by day."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import postgres as launcher
import psycopg2
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from contracts.migrations import upgrade
from contracts.store import Store
from contracts.tables import TABLES

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)
TREND = """, 'trend_1', '{"p_down": 0.3, "p_neutral": 0.4, "p_up": 0.3}'"""
LEDGERS = [name for name, table in TABLES.items() if table.kind == "ledger"]


@pytest.fixture
def empty(postgres_url: str) -> Store:
    """A database without tables."""
    name = f"test_{uuid4().hex}"
    launcher.create_database(postgres_url, name)
    return Store(postgres_url.rsplit("/", 1)[0] + f"/{name}")


def run(store: Store, *statements: str) -> int:
    """Run them as the owner; the first number of the last."""
    with store.connect() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return int((cursor.fetchone() or [0])[0]) if cursor.description else 0


def calls(first: str, last: str, step: str = "1 hour") -> str:
    """A statement that adds a call for every step between two times."""
    return (
        "INSERT INTO requests SELECT gen_random_uuid()::text, at, 'POST', '/predict', 200, 0.1, "
        f"'[]', 'u', 1, 'k' FROM generate_series({first}, {last}, interval '{step}') at"
    )


def predictions(bundle: str, first: int, last: int, named: bool = True) -> str:
    """A statement that adds forecasts; numbers that are there already add nothing.

    named: whether the table knows targets already.
    """
    return (
        "INSERT INTO predictions (prediction_id, bundle, model_version, universe, instrument_id, "
        "symbol, session, horizon, as_of, snapshot, p_down, p_neutral, p_up, origin, issued_at, "
        f"signal{', target, forecast' if named else ''}) "
        f"SELECT g::text, '{bundle}', 1, 'u', 'I' || g, 'S' || g, "
        "'2025-06-30', 1, '2025-06-30 20:00+00', 7, 0.3, 0.4, 0.3, "
        "CASE WHEN g % 2 = 0 THEN 'live' ELSE 'backfill' END, now(), 'hold' "
        f"{TREND if named else ''} FROM generate_series({first}, {last}) g ON CONFLICT DO NOTHING"
    )


def counted(store: Store, table: str) -> int:
    """What the tallies say."""
    return run(store, f"SELECT sum(n) FROM tallies WHERE table_name = '{table}'")


def partitions(store: Store) -> set[str]:
    found = store.query(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits "
        "WHERE inhparent = 'requests'::regclass"
    )
    return set(found["name"].to_pylist())


def of(day: date) -> str:
    return f"requests_{day:%Y_%m_%d}"


def test_every_ledger_is_counted(store: Store) -> None:
    found = store.query(
        "SELECT tgrelid::regclass::text AS t FROM pg_trigger WHERE tgname = 'tally'"
    )
    assert sorted(found["t"].to_pylist()) == sorted(LEDGERS)


@effort(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.integers(0, 9),
                          st.booleans()), max_size=6))  # fmt: skip
def test_counts_are_those_of_the_rows_whatever_is_added_twice_or_taken_back(
    store: Store, added: list[tuple[str, int, int, bool]]
) -> None:
    for bundle, first, more, kept in added:
        try:
            with store.connect() as connection, connection.cursor() as cursor:
                cursor.execute(predictions(bundle, first, first + more))
                if not kept:
                    raise InterruptedError
        except InterruptedError:
            pass
    same = (
        "SELECT coalesce(sum(abs(n)), 0) FROM (SELECT universe, origin, bundle, sum(n) AS n FROM "
        "(SELECT universe, origin, bundle, 1 AS n FROM predictions UNION ALL SELECT "
        "groups ->> 'universe', groups ->> 'origin', groups ->> 'bundle', -n FROM tallies "
        "WHERE table_name = 'predictions') b GROUP BY 1, 2, 3) apart"
    )
    assert run(store, same) == 0


SETTLED = (
    "INSERT INTO outcomes SELECT g::text, {version}, 1, 0.1, false, now(), 7, now(), NULL "
    "FROM generate_series({first}, {last}) g ON CONFLICT DO NOTHING"
)
BY_SESSION = (
    "SELECT coalesce(sum(abs(n)), 0) FROM (SELECT target, bundle, session, sum(n) AS n FROM ("
    "SELECT target, bundle, session::text, 1 AS n FROM outcomes "
    "LEFT JOIN predictions USING (prediction_id) UNION ALL SELECT groups ->> 'target', "
    "groups ->> 'bundle', groups ->> 'session', -n FROM tallies WHERE table_name = 'outcomes'"
    ") b GROUP BY 1, 2, 3) apart"
)


@effort(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 40), st.integers(0, 9)), max_size=6))
def test_truths_are_counted_by_the_session_of_their_forecasts(
    store: Store, added: list[tuple[int, int, int]]
) -> None:
    run(store, predictions("a", 1, 20), predictions("b", 21, 30))
    for version, first, more in added:  # Of some there is no forecast.
        run(store, SETTLED.format(version=version, first=first, last=first + more))
    assert run(store, BY_SESSION) == 0
    whole = "SELECT coalesce(sum(n), 0) FROM tallies WHERE table_name = 'outcomes'"
    assert run(store, "SELECT count(*) FROM outcomes") == run(store, whole)


def test_an_older_database_keeps_its_calls_and_counts(empty: Store) -> None:
    upgrade.upgrade(empty.url, "0007")
    run(empty, calls("now() - interval '40 days'", "now()"), predictions("b", 1, 50, named=False))
    before = run(empty, "SELECT count(*) FROM requests")
    empty.migrate()
    assert upgrade.differences(empty.url) == []
    assert run(empty, "SELECT count(*) FROM requests") == before == counted(empty, "requests")
    assert counted(empty, "predictions") == 50
    # It goes on: today lies with the calls of before, the days ahead have their own.
    run(empty, calls("now()", "now() + interval '3 days'"))
    assert run(empty, "SELECT count(*) FROM requests_other") == 0
    assert of(NOW.date() + timedelta(3)) in partitions(empty)
    assert run(empty, "SELECT keep_requests(30)") == 0, "the newest of them is not old enough"
    with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
        run(empty, "DELETE FROM requests_before")


def test_days_are_made_ahead_and_dropped_when_they_are_old(store: Store) -> None:
    today = NOW.date()
    ahead = {of(today + timedelta(n)) for n in range(8)}
    assert partitions(store) == {"requests_other", *ahead}
    # Nobody looked after it for long, and one clock was far off.
    run(store, calls("now() - interval '9 days'", "now() - interval '2 days'"),
        calls("timestamptz '2042-01-01 03:00+00'", "timestamptz '2042-01-01 05:00+00'"),
        calls("now()", "now()"))  # fmt: skip
    whole = run(store, "SELECT count(*) FROM requests")
    kept = run(store, "SELECT count(*) FROM requests WHERE answered_at >= current_date - 5")
    assert run(store, "SET timezone = 'Asia/Kolkata'", "SELECT keep_requests(5)") == whole - kept
    assert run(store, "SELECT count(*) FROM requests_other") == 0
    old = {of(today - timedelta(n)) for n in range(2, 6)}
    assert partitions(store) == {"requests_other", "requests_2042_01_01", *ahead, *old}
    assert run(store, "SELECT count(*) FROM requests") == kept == counted(store, "requests")
    assert run(store, "SELECT keep_requests(5)") == 0, "once more changes nothing"
    for part in (of(today), of(today - timedelta(3)), "requests_other"):
        with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
            run(store, f"DELETE FROM {part}")
    with pytest.raises(psycopg2.errors.RaiseException, match="a day at least"):
        run(store, "SELECT keep_requests(0)")


READER = "SET ROLE finpulse_reader"


def test_the_reader_adds_calls_that_are_counted_and_may_neither_drop_nor_count(
    store: Store,
) -> None:
    run(store, READER, calls("now()", "now()"))
    assert counted(store, "requests") == 1
    for refused in ("SELECT keep_requests(1)", "UPDATE tallies SET n = 0"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(store, READER, refused)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(store, "SET ROLE finpulse_writer", "INSERT INTO tallies VALUES ('x', '{}', 0, 1)")
    assert run(store, "SET ROLE finpulse_writer", "SELECT keep_requests(1)") == 0
