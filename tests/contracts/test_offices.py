"""A database from before there were offices keeps its promotions, forecasts and truths."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import postgres as launcher
import psycopg2
import pytest

from contracts import objects
from contracts.champion import Office, champion, offices, reign
from contracts.gap import gaps
from contracts.migrations import upgrade
from contracts.store import Store

pytestmark = pytest.mark.integration

TREND, OTHER = Office("sim20", "trend_1"), Office("sim20", "trend_5")
AT = datetime(2025, 6, 30, 20, tzinfo=UTC)
WON = {"p_value": 0.01, "counted": {}}
# (promotion, decision, bundle, actor, evidence) as the code of before wrote them, in their order.
PROMOTIONS = (
    ("zero-aaaa", "promoted", "aaaa", "trainer", {}),
    ("c1", "kept", "bbbb", "trainer", WON),
    ("c2", "promoted", "bbbb", "trainer", WON),
    ("u1", "refused", "cccc", "mlflow-ui", {"alias_before": 2}),
    ("u2", "promoted", "cccc", "mlflow-ui", {"alias_before": 2}),
    ("r1", "rolled_back", "bbbb", "trainer", {"rolled_back": "u2"}),
)
CAUSES = ["zero", "contest", "contest", "person", "person", "rollback"]


@pytest.fixture
def before(postgres_url: str) -> Iterator[Store]:
    """A database of the code of before, with rows in the ledgers that know offices now."""
    name = f"test_{uuid4().hex}"
    launcher.create_database(postgres_url, name)
    store = Store(postgres_url.rsplit("/", 1)[0] + f"/{name}")
    upgrade.upgrade(store.url, "0014")
    for number, row in enumerate(PROMOTIONS, 1):
        promoted(store, row, number)
    forecasts(store, "bbbb", 3)
    forecasts(store, "dddd", 2)
    yield store
    store.close()


def run(store: Store, statement: str, *values: object) -> None:
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)


def promoted(store: Store, row: tuple[Any, ...], version: int) -> None:
    name, decision, bundle, actor, evidence = row
    run(
        store,
        "INSERT INTO promotions (promotion_id, universe, decision, bundle, model_name, "
        "model_version, actor, reason, evidence, decided_at) "
        "VALUES (%s, 'sim20', %s, %s, 'finpulse-sim20', %s, %s, 'why', %s, %s)",
        *(name, decision, bundle, version, actor, json.dumps(evidence), AT),
    )


def forecasts(store: Store, bundle: str, rows: int) -> None:
    run(
        store,
        "INSERT INTO predictions (prediction_id, bundle, model_version, universe, instrument_id, "
        "symbol, session, horizon, as_of, snapshot, p_down, p_neutral, p_up, origin, issued_at) "
        "SELECT %s || g, %s, 1, 'sim20', 'I' || g, 'S' || g, '2025-06-30', 1, %s, 7, 0.1 * g, "
        "1.0 / 3, 2.0 / 3 - 0.1 * g, 'live', %s FROM generate_series(1, %s) g",
        *(bundle, bundle, AT, AT, rows),
    )
    run(
        store,
        "INSERT INTO outcomes (prediction_id, version, label, total_return, delisted, settled_at, "
        "snapshot, recorded_at) SELECT prediction_id, 1, 2, 0.01, false, issued_at, 8, issued_at "
        "FROM predictions WHERE bundle = %s",
        bundle,
    )


def test_what_was_decided_keeps_its_order_and_tells_its_cause(before: Store) -> None:
    before.migrate()
    assert upgrade.differences(before.url) == []
    rows = before.query("SELECT * FROM promotions ORDER BY number").to_pylist()
    assert [row["promotion_id"] for row in rows] == [row[0] for row in PROMOTIONS]
    assert [row["cause"] for row in rows] == CAUSES
    assert offices(before) == (TREND,)
    assert [one.bundle for one in reign(before, TREND)] == ["bbbb", "cccc", "bbbb", "aaaa"]
    found = champion(before, TREND)
    assert found is not None and found.model_name == "finpulse-sim20", "where MLflow holds it"
    assert gaps(before) == [], "the one in office has forecast the newest session"


def test_forecasts_and_truths_are_told_as_new_ones_are(before: Store) -> None:
    said = before.query("SELECT * FROM predictions ORDER BY prediction_id").to_pylist()
    before.migrate()
    rows = before.query("SELECT * FROM predictions ORDER BY prediction_id").to_pylist()
    for was, row in zip(said, rows, strict=True):
        assert was.items() <= row.items(), "nothing of a row was lost"
        assert row["target"] == "trend_1" and row["volatility"] is None
        names = ("p_down", "p_neutral", "p_up")
        assert json.loads(row["forecast"]) == {name: was[name] for name in names}, "to the bit"
    assert before.query("SELECT label, value FROM outcomes").to_pylist() == [
        {"label": 2, "value": None}
    ] * len(rows)
    counted = "SELECT groups ->> 'target' AS target, sum(n)::bigint AS n FROM tallies "
    counted += "WHERE table_name = 'predictions' GROUP BY 1"
    assert before.query(counted).to_pylist() == [{"target": "trend_1", "n": 5}]


def test_a_bundle_that_names_another_target_is_believed(before: Store) -> None:
    objects.put("bundles/bbbb/manifest.json", json.dumps({"target": "trend_5"}).encode())
    objects.put("bundles/dddd/manifest.json", json.dumps({"format_version": 2}).encode())
    before.migrate()
    assert offices(before) == (TREND, OTHER)
    assert [one.bundle for one in reign(before, OTHER)] == ["bbbb", "bbbb"]
    told = "SELECT DISTINCT bundle, target FROM predictions ORDER BY bundle"
    assert [tuple(row.values()) for row in before.query(told).to_pylist()] == [
        ("bbbb", "trend_5"),
        ("dddd", "trend_1"),
    ]


def test_the_ledgers_go_on_and_refuse_change(before: Store) -> None:
    before.migrate()
    truths = "SELECT groups ->> 'bundle' AS bundle, groups ->> 'target' AS target, "
    truths += "groups ->> 'session' AS session, sum(n)::bigint AS n FROM tallies "
    truths += "WHERE table_name = 'outcomes' GROUP BY 1, 2, 3"
    held = "SELECT bundle, target, session::text AS session, count(*) AS n FROM outcomes "
    held += "JOIN predictions USING (prediction_id) GROUP BY 1, 2, 3"
    order = " ORDER BY 1"
    found = before.query(truths + order).to_pylist()
    assert found == before.query(held + order).to_pylist() and len(found) > 1
    run(
        before,
        "INSERT INTO predictions SELECT 'new', bundle, model_version, universe, instrument_id, "
        "symbol, session, horizon, as_of, 8, p_down, p_neutral, p_up, origin, issued_at, signal, "
        "target, forecast FROM predictions WHERE prediction_id = 'bbbb1'",
    )
    counted = "SELECT sum(n)::bigint AS n FROM tallies WHERE table_name = 'predictions'"
    assert before.query(counted)["n"].to_pylist() == [6]
    for table in ("promotions", "predictions", "outcomes", "drift"):
        with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
            run(before, f"DELETE FROM {table}")
    before.migrate()
