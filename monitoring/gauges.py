"""Gauges out of the tables: data, forecasts beside their truth, champion, drift."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from prometheus_client.core import GaugeMetricFamily

from contracts.champion import champion
from contracts.store import Store
from contracts.tables import TABLES
from monitoring.performance import Performance, performance

_NEWEST_DRIFT = """
SELECT DISTINCT ON (universe, test, feature) universe, test, feature, score, threshold, alarm
FROM drift ORDER BY universe, test, feature, session DESC, scored_at DESC
"""
# How far the bars reach, not what they say: no read as of a time is needed for that.
_REACH = """
SELECT max(event_time) AS at, (SELECT origin FROM loads LIMIT 1) AS origin
FROM bars WHERE interval = '1d'
"""
# A weekend with a holiday, so that exchanges with other holidays are not behind.
_BEHIND_DAYS = 4
_LISTED = f"""
WITH newest AS (SELECT max(event_time) AS at FROM bars WHERE interval = '1d'),
members AS (
  SELECT DISTINCT ON (instrument_id) instrument_id, valid_to FROM memberships
  WHERE universe = %s ORDER BY instrument_id, valid_from DESC, known_at DESC
),
fresh AS (
  SELECT DISTINCT instrument_id FROM bars
  WHERE interval = '1d'
    AND event_time > (SELECT at FROM newest) - interval '{_BEHIND_DAYS} days'
)
SELECT count(*) AS listed, count(*) FILTER (WHERE fresh.instrument_id IS NULL) AS behind
FROM newest, members LEFT JOIN fresh USING (instrument_id)
WHERE members.valid_to IS NULL OR members.valid_to >= newest.at::date
"""

# What the METRICS of settled forecasts are called here.
_METRICS = {
    "accuracy": ("forecast_accuracy_ratio", "Share of settled forecasts that came true."),
    "mcc": ("forecast_mcc", "Matthews' correlation of forecast and truth; 0 for one class only."),
    "brier": ("forecast_brier_score", "Mean Brier score over three classes, 0 to 2."),
    "log_loss": ("forecast_log_loss", "Mean log loss in nats."),
    "direction_loss": (
        "forecast_direction_loss",
        "Mean log loss in nats of up against down, of forecasts whose price moved.",
    ),
}


def gauges(store: Store, universe: str, now: datetime) -> list[GaugeMetricFamily]:
    """All gauges as the tables stand at `now` (UTC); raises StoreUnavailable."""
    return [
        *_data(store, universe, now),
        *_champion(store, universe, now),
        *_performance(universe, performance(store, universe)),
        *_drift(store),
    ]


def _gauge(
    name: str, text: str, rows: Iterable[dict[str, Any]], value: str, *labels: str
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"finpulse_{name}", text, labels=labels)
    for row in rows:
        family.add_metric([str(row[label]) for label in labels], float(row[value]))
    return family


def _counts(store: Store) -> list[dict[str, Any]]:
    # Facts are only ever added, so the loads know their number without a walk over them.
    sums = store.query("SELECT table_name, sum(rows_added)::bigint AS n FROM loads GROUP BY 1")
    added = {row["table_name"]: row["n"] for row in sums.to_pylist()}
    ledgers = [name for name, table in TABLES.items() if table.kind == "ledger"]
    each = " UNION ALL ".join(
        f"SELECT '{name}' AS table_name, count(*) AS n FROM {name}" for name in ledgers
    )
    added |= {row["table_name"]: row["n"] for row in store.query(each).to_pylist()}
    return [{"table": name, "n": added.get(name, 0)} for name in TABLES]


def _data(store: Store, universe: str, now: datetime) -> Iterator[GaugeMetricFamily]:
    yield _gauge("table_rows", "Rows of a table.", _counts(store), "n", "table")
    refused = store.query(
        "SELECT table_name AS table, source, reason, count(*) AS n FROM rejected GROUP BY 1, 2, 3"
    ).to_pylist()
    text = "Rows that the quality rules refused."
    yield _gauge("rejected_rows", text, refused, "n", "table", "source", "reason")
    issued = store.query(
        "SELECT universe, origin, count(*) AS n, max(as_of) AS as_of FROM predictions GROUP BY 1, 2"
    ).to_pylist()
    yield _gauge("predictions", "Forecasts that were issued.", issued, "n", "universe", "origin")
    listed = store.query(_LISTED, (universe,)).to_pylist()
    listed = [row | {"universe": universe} for row in listed if row["listed"]]
    yield _gauge("instruments_listed", "Members of the universe.", listed, "listed", "universe")
    text = f"Members whose newest bar is {_BEHIND_DAYS} days older than the newest of all."
    yield _gauge("instruments_behind", text, listed, "behind", "universe")
    yield from _freshness(store, now)


def _freshness(store: Store, now: datetime) -> Iterator[GaugeMetricFamily]:
    loaded = store.query(
        'SELECT table_name AS "table", max(committed_at) AS at FROM loads GROUP BY 1'
    ).to_pylist()
    rows = [row | {"at": row["at"].timestamp()} for row in loaded]
    text = "When rows were last added to a table."
    yield _gauge("newest_load_timestamp_seconds", text, rows, "at", "table")
    [reach] = store.query(_REACH).to_pylist()
    newest = [reach | {"age": (now - reach["at"]).total_seconds()}] if reach["at"] else []
    stamps = [row | {"at": row["at"].timestamp()} for row in newest]
    text = "Close of the newest bar."
    yield _gauge("newest_session_timestamp_seconds", text, stamps, "at", "origin")
    yield _gauge("data_age_seconds", "Time since that close.", newest, "age", "origin")


def _champion(store: Store, universe: str, now: datetime) -> Iterator[GaugeMetricFamily]:
    office = champion(store, universe)
    rows = []
    if office is not None:
        age = (now - office.decided_at).total_seconds()
        rows = [vars(office) | {"version": office.model_version, "one": 1, "age": age}]
    labels = ("universe", "version", "bundle", "actor")
    yield _gauge("champion_info", "The champion in office; always 1.", rows, "one", *labels)
    yield _gauge("champion_age_seconds", "Time in office.", rows, "age", "universe")


def _performance(universe: str, found: list[Performance]) -> Iterator[GaugeMetricFamily]:
    labels = ("universe", "forecaster", "origin")
    rows = [{"universe": universe, **vars(each), **each.scores} for each in found]
    champions = [row for row in rows if row["forecaster"] == "champion"]
    text = "The champion's forecasts whose truth is known."
    yield _gauge("settled_predictions", text, champions, "n", "universe", "origin")
    for metric, (name, text) in _METRICS.items():
        yield _gauge(name, text, rows, metric, *labels)


def _drift(store: Store) -> Iterator[GaugeMetricFamily]:
    rows = store.query(_NEWEST_DRIFT).to_pylist()
    labels = ("universe", "test", "feature")
    yield _gauge("drift_score", "Newest score of a drift test.", rows, "score", *labels)
    yield _gauge("drift_threshold", "Score above which it alarms.", rows, "threshold", *labels)
    yield _gauge("drift_alarm", "1 when the score is above it.", rows, "alarm", *labels)
