"""Gauges out of the tables: data, forecasts beside their truth, champion, drift."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

import orjson
from prometheus_client.core import GaugeMetricFamily

from contracts.champion import champion, offices
from contracts.release.rollout import ROLLBACK, staged
from contracts.store import Store, StoreUnavailable
from contracts.tables import TABLES
from monitoring.export.notes import notes
from monitoring.truth.performance import CHAMPION, Truths

T = TypeVar("T")

# Truths are counted by session, which is asked for where they are read.
_TALLIES = """
SELECT table_name AS "table", CASE table_name WHEN 'outcomes' THEN '{}' ELSE groups::text END
  AS groups, sum(n)::bigint AS n
FROM tallies GROUP BY 1, 2
"""
# Facts are only ever added, so the loads know their number without a walk over them.
_LOADS = """
SELECT table_name AS "table", sum(rows_added)::bigint AS n, max(committed_at) AS at
FROM loads GROUP BY 1
"""
_NEWEST_DRIFT = """
SELECT DISTINCT ON (universe, target, test, feature)
  universe, target, test, feature, score, threshold, alarm
FROM drift ORDER BY universe, target, test, feature, session DESC, scored_at DESC
"""
_NEWEST_ALARMS = """
WITH office AS (
  SELECT DISTINCT ON (universe, target) universe, target, bundle FROM promotions
  WHERE decision IN ('promoted', 'rolled_back') ORDER BY universe, target, number DESC
)
SELECT DISTINCT ON (universe, target, family)
  universe, target, family, number, threshold, severe, alarm, persistent
FROM alarms JOIN office USING (universe, target, bundle)
ORDER BY universe, target, family, session DESC, scored_at DESC
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

# What some metrics of settled forecasts are called here; others by the name their objective has.
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

# The labels that name an office.
_ROLLED_BACK = """
SELECT universe, target, count(*)::bigint AS n FROM rollouts WHERE verdict = %s GROUP BY 1, 2
"""
_OFFICE = ("universe", "target")

log = logging.getLogger(__name__)


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


def state(store: Store, now: datetime) -> Families:
    """What is told of counts and of the champions in office at `now` (UTC)."""
    found = counts(store)
    return [*_data(found), *_champions(store, now), *_releases(store), *notes(store)]


class Sums:
    """Gauges that are sums over histories: made anew only when what they are made of has grown.

    universe: one whose members are counted before it has a champion, too.
    """

    def __init__(self, store: Store, universe: str) -> None:
        self._store = store
        self._universe = universe
        self._truths = Truths(store)
        self._kept: dict[str, tuple[object, Any]] = {}
        self._failures = 0

    def look(self, now: datetime) -> Families:
        """All of them as the tables stand, ages as of `now` (UTC); raises StoreUnavailable."""
        store, rows = self._store, counts(self._store).rows
        members = (rows["bars"], rows["memberships"], rows["promotions"])
        listed, reach = self._made("listed", members, self._listed)
        # What failed is tried again, whatever has grown.
        judged = (rows["predictions"], rows["outcomes"], rows["promotions"], self._failures)
        scores = self._made("scores", judged, self._scores)
        drift = self._made("drift", rows["drift"], lambda: store.query(_NEWEST_DRIFT).to_pylist())
        watched = (rows["alarms"], rows["promotions"])
        alarms = self._made("alarms", watched, lambda: store.query(_NEWEST_ALARMS).to_pylist())
        told = [*_members(listed), *_age(reach, now), *_performance(scores)]
        return [*told, *_drift(drift), *_alarms(alarms)]

    def _made(self, name: str, mark: object, make: Callable[[], T]) -> T:
        kept = self._kept.get(name)
        if kept is None or kept[0] != mark:
            self._kept[name] = kept = (mark, make())
        return cast(T, kept[1])

    def _listed(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        known = {self._universe, *(office.universe for office in offices(self._store))}
        listed = [
            row | {"universe": name}
            for name in sorted(known)
            for row in self._store.query(_LISTED, (name,)).to_pylist()
            if row["listed"]
        ]
        [reach] = self._store.query(_REACH).to_pylist()
        return listed, reach

    def _scores(self) -> list[dict[str, Any]]:
        rows = list[dict[str, Any]]()
        for office in offices(self._store):
            try:
                found = self._truths.of(office)
            except StoreUnavailable:
                raise
            except Exception as error:  # One office's fault is not the others'.
                about = {"office": str(office), "error": str(error)}
                log.error("a champion's forecasts cannot be judged", extra=about)
                self._failures += 1
                continue
            rows += [{**vars(office), **vars(each)} for each in found]
        return rows


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
    labels = (*_OFFICE, "origin")
    issued: Counter[tuple[str, ...]] = Counter()
    for row in found.groups.get("predictions", []):
        issued[tuple(row[label] for label in labels)] += row["n"]
    said = [dict(zip(labels, who, strict=True)) | {"n": n} for who, n in issued.items()]
    yield _gauge("predictions", "Forecasts that were issued.", said, "n", *labels)
    loaded = [row | {"at": row["at"].timestamp()} for row in found.loads]
    text = "When rows were last added to a table."
    yield _gauge("newest_load_timestamp_seconds", text, loaded, "at", "table")


def _members(listed: list[dict[str, Any]]) -> Iterator[GaugeMetricFamily]:
    yield _gauge("instruments_listed", "Members of the universe.", listed, "listed", "universe")
    text = f"Members whose newest bar is {_BEHIND_DAYS} days older than the newest of all."
    yield _gauge("instruments_behind", text, listed, "behind", "universe")


def _age(reach: dict[str, Any], now: datetime) -> Iterator[GaugeMetricFamily]:
    newest = [reach | {"age": (now - reach["at"]).total_seconds()}] if reach["at"] else []
    stamps = [row | {"at": row["at"].timestamp()} for row in newest]
    text = "Close of the newest bar."
    yield _gauge("newest_session_timestamp_seconds", text, stamps, "at", "origin")
    yield _gauge("data_age_seconds", "Time since that close.", newest, "age", "origin")


def _champions(store: Store, now: datetime) -> Iterator[GaugeMetricFamily]:
    rows = []
    for office in offices(store):
        if held := champion(store, office):
            age = (now - held.decided_at).total_seconds()
            rows.append(vars(held) | {"version": held.model_version, "one": 1, "age": age})
    labels = (*_OFFICE, "version", "bundle", "actor")
    yield _gauge("champion_info", "The champion in office; always 1.", rows, "one", *labels)
    yield _gauge("champion_age_seconds", "Time in office.", rows, "age", *_OFFICE)


def _releases(store: Store) -> Iterator[GaugeMetricFamily]:
    rows = [vars(one) | {"bundle": one.bundle[:12]} for one in staged(store)]
    text = "Share of the callers that a staged challenger answers; 0 in shadow."
    yield _gauge("release_share", text, rows, "share", *_OFFICE, "bundle")
    # An office that had none is told of, so that its first one is a change.
    none = {(o.universe, o.target): 0 for o in offices(store)}
    back = store.query(_ROLLED_BACK, (ROLLBACK,)).to_pylist()
    counts = none | {(row["universe"], row["target"]): row["n"] for row in back}
    told = [dict(zip(_OFFICE, office, strict=True)) | {"n": n} for office, n in counts.items()]
    yield _gauge("release_rollbacks", "Releases that were rolled back.", told, "n", *_OFFICE)


def _performance(rows: list[dict[str, Any]]) -> Iterator[GaugeMetricFamily]:
    labels = (*_OFFICE, "forecaster", "origin")
    champions = [row for row in rows if row["forecaster"] == CHAMPION]
    text = "The champion's forecasts whose truth is known."
    yield _gauge("settled_predictions", text, champions, "n", *_OFFICE, "origin")
    first = [row | {"mean": row["scores"][row["loss"]]} for row in rows]
    text = "Mean of the loss by which the objective's contests are decided; lower is better."
    yield _gauge("settled_loss", text, first, "mean", *labels, "loss")
    told = [
        row | {"metric": metric, "score": score}
        for row in rows
        for metric, score in row["scores"].items()
    ]
    text = "Each metric of the objective, of settled forecasts."
    yield _gauge("settled_score", text, told, "score", *labels, "metric")
    for metric in sorted({row["metric"] for row in told} | set(_METRICS)):
        words = f"Mean {metric.replace('_', ' ')} of settled forecasts."
        name, text = _METRICS.get(metric, (f"forecast_{metric}", words))
        yield _gauge(name, text, (row for row in told if row["metric"] == metric), "score", *labels)


def _drift(rows: list[dict[str, Any]]) -> Iterator[GaugeMetricFamily]:
    labels = (*_OFFICE, "test", "feature")
    yield _gauge("drift_score", "Newest score of a drift test.", rows, "score", *labels)
    yield _gauge("drift_threshold", "Score above which it alarms.", rows, "threshold", *labels)
    yield _gauge("drift_alarm", "1 when the score is above it.", rows, "alarm", *labels)


def _alarms(rows: list[dict[str, Any]]) -> Iterator[GaugeMetricFamily]:
    labels = (*_OFFICE, "family")
    yield _gauge("alarm_number", "Newest number of an alarm family.", rows, "number", *labels)
    text = "Number that one year in ten without a change exceeds, or a limit that was declared."
    yield _gauge("alarm_threshold", text, rows, "threshold", *labels)
    text = "Number that one such year in a hundred exceeds, or the declared limit."
    yield _gauge("alarm_severe", text, rows, "severe", *labels)
    yield _gauge(
        "alarm_raised", "1 when the number is above its threshold.", rows, "alarm", *labels
    )
    text = "1 when it was above the severe limit in most of the newest sessions."
    yield _gauge("alarm_persistent", text, rows, "persistent", *labels)
