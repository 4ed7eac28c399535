"""Gauges out of the tables: data, forecasts beside their truth, champion, drift."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

import orjson
from prometheus_client.core import GaugeMetricFamily

from contracts.champion import FIRST_TARGET, Office, champion
from contracts.store import Store
from contracts.tables import TABLES
from monitoring.truth.performance import Performance, performance

T = TypeVar("T")

_TALLIES = """
SELECT table_name AS "table", groups::text AS groups, sum(n)::bigint AS n FROM tallies GROUP BY 1, 2
"""
# Facts are only ever added, so the loads know their number without a walk over them.
_LOADS = """
SELECT table_name AS "table", sum(rows_added)::bigint AS n, max(committed_at) AS at
FROM loads GROUP BY 1
"""
_NEWEST_DRIFT = """
SELECT DISTINCT ON (universe, test, feature) universe, test, feature, score, threshold, alarm
FROM drift ORDER BY universe, test, feature, session DESC, scored_at DESC
"""
# How far the bars reach, not what they say: no read as of a time is needed for that. The newest
# session holds the newest bar, or the one before where zones differ.
_NEWEST_BAR = """
SELECT max(event_time) AS at FROM bars WHERE interval = '1d'
  AND session >= (SELECT max(session) FROM bars WHERE interval = '1d') - 2
"""
_REACH = f"SELECT at, (SELECT origin FROM loads LIMIT 1) AS origin FROM ({_NEWEST_BAR}) newest"
# A weekend with a holiday, so that exchanges with other holidays are not behind.
_BEHIND_DAYS = 4
_LISTED = f"""
WITH newest AS ({_NEWEST_BAR}),
members AS (
  SELECT DISTINCT ON (instrument_id) instrument_id, valid_to FROM memberships
  WHERE universe = %s ORDER BY instrument_id, valid_from DESC, known_at DESC
),
fresh AS (
  SELECT DISTINCT instrument_id FROM bars
  WHERE interval = '1d' AND session >= (SELECT at::date FROM newest) - {_BEHIND_DAYS + 2}
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


Families = list[GaugeMetricFamily]


@dataclass(frozen=True)
class Counts:
    """Rows that the tables have, and of some ledgers those of each group, by added numbers."""

    rows: Mapping[str, int]
    groups: Mapping[str, list[dict[str, Any]]]
    loads: list[dict[str, Any]]


def counts(store: Store) -> Counts:
    """The numbers as they stand, whatever the tables' size; raises StoreUnavailable."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in store.query(_TALLIES).to_pylist():
        each = orjson.loads(row["groups"]) | {"n": row["n"]}
        groups.setdefault(row["table"], []).append(each)
    loads = store.query(_LOADS).to_pylist()
    rows = {row["table"]: int(row["n"]) for row in loads}
    rows |= {name: sum(each["n"] for each in found) for name, found in groups.items()}
    return Counts({name: rows.get(name, 0) for name in TABLES}, groups, loads)


def state(store: Store, universe: str, now: datetime) -> Families:
    """What is told of counts and of the champion in office at `now` (UTC)."""
    found = counts(store)
    return [*_data(found), *_champion(store, universe, now)]


class Sums:
    """Gauges that are sums over histories: made anew only when what they are made of has grown."""

    def __init__(self, store: Store, universe: str) -> None:
        self._store = store
        self._universe = universe
        self._kept: dict[str, tuple[object, Any]] = {}

    def look(self, now: datetime) -> Families:
        """All of them as the tables stand, ages as of `now` (UTC); raises StoreUnavailable."""
        store, universe, rows = self._store, self._universe, counts(self._store).rows
        listed, reach = self._made("listed", (rows["bars"], rows["memberships"]), self._listed)
        judged = (rows["predictions"], rows["outcomes"], rows["promotions"])
        scores = self._made("scores", judged, lambda: performance(store, universe))
        drift = self._made("drift", rows["drift"], lambda: store.query(_NEWEST_DRIFT).to_pylist())
        return [
            *_members(universe, listed),
            *_age(reach, now),
            *_performance(universe, scores),
            *_drift(drift),
        ]

    def _made(self, name: str, mark: object, make: Callable[[], T]) -> T:
        kept = self._kept.get(name)
        if kept is None or kept[0] != mark:
            self._kept[name] = kept = (mark, make())
        return cast(T, kept[1])

    def _listed(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        listed = self._store.query(_LISTED, (self._universe,)).to_pylist()
        [reach] = self._store.query(_REACH).to_pylist()
        return listed, reach


def _gauge(
    name: str, text: str, rows: Iterable[dict[str, Any]], value: str, *labels: str
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"finpulse_{name}", text, labels=labels)
    for row in rows:
        family.add_metric([str(row[label]) for label in labels], float(row[value]))
    return family


def _data(found: Counts) -> Iterator[GaugeMetricFamily]:
    rows = [{"table": name, "n": n} for name, n in found.rows.items()]
    yield _gauge("table_rows", "Rows of a table.", rows, "n", "table")
    refused = [row | {"table": row["table_name"]} for row in found.groups.get("rejected", [])]
    text = "Rows that the quality rules refused."
    yield _gauge("rejected_rows", text, refused, "n", "table", "source", "reason")
    issued: Counter[tuple[str, str]] = Counter()
    for row in found.groups.get("predictions", []):
        issued[row["universe"], row["origin"]] += row["n"]
    said = [{"universe": u, "origin": o, "n": n} for (u, o), n in issued.items()]
    yield _gauge("predictions", "Forecasts that were issued.", said, "n", "universe", "origin")
    loaded = [row | {"at": row["at"].timestamp()} for row in found.loads]
    text = "When rows were last added to a table."
    yield _gauge("newest_load_timestamp_seconds", text, loaded, "at", "table")


def _members(universe: str, rows: list[dict[str, Any]]) -> Iterator[GaugeMetricFamily]:
    listed = [row | {"universe": universe} for row in rows if row["listed"]]
    yield _gauge("instruments_listed", "Members of the universe.", listed, "listed", "universe")
    text = f"Members whose newest bar is {_BEHIND_DAYS} days older than the newest of all."
    yield _gauge("instruments_behind", text, listed, "behind", "universe")


def _age(reach: dict[str, Any], now: datetime) -> Iterator[GaugeMetricFamily]:
    newest = [reach | {"age": (now - reach["at"]).total_seconds()}] if reach["at"] else []
    stamps = [row | {"at": row["at"].timestamp()} for row in newest]
    text = "Close of the newest bar."
    yield _gauge("newest_session_timestamp_seconds", text, stamps, "at", "origin")
    yield _gauge("data_age_seconds", "Time since that close.", newest, "age", "origin")


def _champion(store: Store, universe: str, now: datetime) -> Iterator[GaugeMetricFamily]:
    office = champion(store, Office(universe, FIRST_TARGET))
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


def _drift(rows: list[dict[str, Any]]) -> Iterator[GaugeMetricFamily]:
    labels = ("universe", "test", "feature")
    yield _gauge("drift_score", "Newest score of a drift test.", rows, "score", *labels)
    yield _gauge("drift_threshold", "Score above which it alarms.", rows, "threshold", *labels)
    yield _gauge("drift_alarm", "1 when the score is above it.", rows, "alarm", *labels)
