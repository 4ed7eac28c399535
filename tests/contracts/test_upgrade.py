"""A database of before, with facts and decisions, reads the same at the newest revision."""

from datetime import UTC, datetime
from uuid import uuid4

import postgres as launcher
import pytest

from contracts.migrations import upgrade
from contracts.migrations.guards import append_only, tallied
from contracts.store import Store
from contracts.tables import ACTIONS, BARS

pytestmark = pytest.mark.integration
WHEN = datetime(2024, 6, 10, 20, tzinfo=UTC)
BEFORE = """
INSERT INTO loads
  VALUES (1, 'bars', 'append', 'simulated', 'simulated', '', 'abc', 1, %(t)s, %(t)s);
INSERT INTO bars
  SELECT 'SIM001', '1d', '2024-06-10', NULL, %(t)s, 'simulated', 1, 2, 0.5, 1.5, 10, 'none',
    %(t)s, 1;
INSERT INTO actions (instrument_id, ex_date, kind, source, value, known_at, load_id)
  VALUES ('SIM001', '2024-06-10', 'dividend', 'simulated', 0.25, %(t)s, 1);
"""


def test_facts_of_before_stay_and_new_ones_join_them(postgres_url: str) -> None:
    name = f"test_{uuid4().hex}"
    launcher.create_database(postgres_url, name)
    store = Store(postgres_url.rsplit("/", 1)[0] + f"/{name}")
    upgrade.upgrade(store.url, "0007")
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute(BEFORE, {"t": WHEN})
    store.migrate()
    assert upgrade.differences(store.url) == []
    assert store.snapshot() == 1
    assert store.read(BARS, WHEN, 1)["close"].to_pylist() == [1.5]
    assert store.read(ACTIONS, WHEN, 1)["value"].to_pylist() == [0.25]
    kept = store.query("SELECT market FROM loads")["market"].to_pylist()
    rests = store.query("SELECT session FROM trading_sessions WHERE opens IS NULL")
    assert kept == [None] and rests.num_rows == 2, "the simulated Mumbai rests on two Saturdays"


def test_a_revision_guards_the_tables_that_it_creates() -> None:
    from alembic.operations.ops import CreateTableOp, DowngradeOps, MigrationScript, UpgradeOps

    made = UpgradeOps([CreateTableOp("drift", []), CreateTableOp("bars", [])])
    upgrade.guard(None, None, [MigrationScript(None, made, DowngradeOps([]))])
    told = [str(each.sqltext) for each in made.ops[2:]]  # type: ignore[attr-defined]
    assert [text for text in told if "append_only" in text] == [
        append_only(n) for n in ("drift", "bars")
    ]
    assert [text for text in told if "append_only" not in text] == tallied("drift")
