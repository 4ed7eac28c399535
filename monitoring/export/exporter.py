"""The exporter: a scrape is answered from memory; several looks, each by itself, keep it new.

What one look waits for keeps no other from looking, and what a look that hangs said last is not
told for longer than it is true.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from contracts.champion import FIRST_TARGET, Office, occupied
from contracts.database.connection import ASIDE
from contracts.gap import gaps
from contracts.settings import settings
from contracts.store import Store, StoreUnavailable
from monitoring.export.gauges import Sums, state
from monitoring.office.alias import RESULTS, Result, reconcile
from monitoring.office.wake import Waker
from monitoring.watch.calls import Caller, calls
from training.run.endings import end_all_lost
from training.run.mlflow_api import Mlflow, TrackingError

log = logging.getLogger(__name__)

REFRESH_SECONDS = 10.0
# The tables say whether the database answers: twice as often, and for no longer than that counts.
TABLES_SECONDS = 5.0
STALE_SECONDS = 10.0
# MLflow is asked three times in a look, Airflow up to three.
ALIAS_STALE_SECONDS = 30.0
AIRFLOW_STALE_SECONDS = 30.0
# Sums over long histories take their time when something new comes.
SUMS_STALE_SECONDS = 300.0
RETRY_SECONDS = 60.0
TRIM_SECONDS = 3_600.0


@dataclass
class Look:
    """What one look says: `up` when it was answered, and what it found; old news count nothing."""

    counts_for: float
    up: bool = False
    found: list[GaugeMetricFamily] = field(default_factory=list)
    _at: float = 0.0

    def says(self, up: bool, found: list[GaugeMetricFamily] | None = None) -> None:
        """Keep what it says now."""
        self.up, self.found, self._at = up, found or [], time.monotonic()

    @property
    def fresh(self) -> bool:
        """Whether it was answered, and not too long ago."""
        return self.up and time.monotonic() - self._at < self.counts_for


class Exporter(Collector):
    """Metrics of the tables, and the reconciler of the alias of each champion.

    waker: tells Airflow of champions that a person chose and that have no forecasts. universe: one
    that is told of before it has a champion, too.

    Ends runs in MLflow whose processes were killed, too. While the database is away the gauges are
    absent, not stale, and `finpulse_database_up` is 0.
    """

    def __init__(self, store: Store, server: Mlflow, waker: Waker, universe: str) -> None:
        self._store, self._server, self._universe = store, server, universe
        self._waker, self._caller = waker, Caller(waker.airflow)
        self._sums = Sums(Store(store.url, ASIDE), universe)
        self._seen = {
            "tables": Look(STALE_SECONDS),
            "alias": Look(ALIAS_STALE_SECONDS),
            "airflow": Look(AIRFLOW_STALE_SECONDS),
            "sums": Look(SUMS_STALE_SECONDS),
        }
        self.registry = CollectorRegistry()
        self._results = Counter(
            "finpulse_alias_reconciliations_total",
            "What comparing MLflow's alias with the ledger led to.",
            ("result",),
            registry=self.registry,
        )
        for result in RESULTS:
            self._results.labels(result)
        self.registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges of the last looks; called by a scrape."""
        tables, alias, sums = (self._seen[name] for name in ("tables", "alias", "sums"))
        up, text = tables.fresh, "1 when the tables were read, and not too long ago."
        yield GaugeMetricFamily("finpulse_database_up", text, value=up)
        text = "1 when MLflow's alias was compared, and not too long ago."
        yield GaugeMetricFamily("finpulse_mlflow_up", text, value=alias.fresh)
        text = "1 when Airflow could be told of the ledger, and not too long ago."
        yield GaugeMetricFamily("finpulse_airflow_up", text, value=self._seen["airflow"].fresh)
        if up:
            yield from tables.found
            yield from sums.found if sums.fresh else ()

    def run(self) -> None:
        """Begin to look, each look on a thread of its own that ends with the process."""
        looks: dict[Callable[[], None], float] = {
            self.look_at_tables: TABLES_SECONDS,
            self.look_at_sums: REFRESH_SECONDS,
            self.look_at_alias: REFRESH_SECONDS,
            self.look_at_airflow: REFRESH_SECONDS,
            self.look_for_forecasts: REFRESH_SECONDS,
            self.look_for_alarms: REFRESH_SECONDS,
            self.look_for_lost_runs: REFRESH_SECONDS,
            self.trim: TRIM_SECONDS,
        }
        for look, seconds in looks.items():
            repeat = (look, seconds)
            threading.Thread(target=_repeat, args=repeat, name=look.__name__, daemon=True).start()

    def look(self) -> None:
        """Every look once, one after the other."""
        self.look_at_tables()
        self.look_at_sums()
        self.look_at_alias()
        self.look_at_airflow()
        self.look_for_forecasts()
        self.look_for_alarms()
        self.look_for_lost_runs()

    def look_at_tables(self) -> None:
        """Counts and champion: this says whether the database answers."""
        self._look("tables", state, self._store)

    def look_at_sums(self) -> None:
        """What is summed over histories."""
        self._look("sums", self._sums.look)

    def _look(self, name: str, ask: Callable[..., list[GaugeMetricFamily]], *where: Any) -> None:
        try:
            self._seen[name].says(True, ask(*where, datetime.now(UTC)))
        except Exception as error:
            self._seen[name].says(False)
            log.error("the tables cannot be read", extra={"look": name, "error": str(error)})

    def look_at_alias(self) -> None:
        """Reconcile the alias of each office once."""
        try:
            # Where nobody is in office, whether MLflow answers is of interest all the same.
            known = occupied(self._store) or (Office(self._universe, FIRST_TARGET),)
            results = [self._reconciled(office) for office in known]
        except StoreUnavailable:
            return  # Nothing is known of MLflow then; of the database another look tells.
        self._seen["alias"].says(None not in results)
        if "recorded" in results:  # A person waits for it.
            self.look_for_forecasts()

    def _reconciled(self, office: Office) -> Result | None:
        try:
            result = reconcile(self._store, self._server, office, datetime.now(UTC))
        except StoreUnavailable:
            raise
        except Exception as error:  # One office's fault is not the others'.
            about = {"office": str(office), "error": str(error)}
            log.error("the alias cannot be compared", extra=about)
            return None
        self._results.labels(result).inc()
        return result

    def look_at_airflow(self) -> None:
        """Ask whether Airflow could be told."""
        self._seen["airflow"].says(self._waker.reachable)

    def look_for_forecasts(self) -> None:
        """Tell Airflow of the forecasts that champions chosen by hand have not made."""
        try:
            found = gaps(self._store)
        except StoreUnavailable:
            return
        self._waker.look(found)

    def look_for_alarms(self) -> None:
        """Tell Airflow of the alarms that call for a training."""
        with suppress(StoreUnavailable):
            self._caller.look(calls(self._store))

    def look_for_lost_runs(self) -> None:
        """End the runs in MLflow, of any universe, whose processes were killed."""
        # Of a database or an MLflow that is away other looks tell.
        with suppress(StoreUnavailable, TrackingError):
            for run in end_all_lost(self._store, self._server):
                log.warning("MLflow run of a process that was killed is ended", extra={"run": run})

    def trim(self) -> None:
        """Let old calls go and make the days ahead."""
        trim(Store(self._store.url, ASIDE))


def trim(store: Store) -> int:
    """Drop the days of calls past FINPULSE_REQUEST_DAYS, make those ahead; returns the calls."""
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT keep_requests(%s)", (settings().request_days,))
        gone = cursor.fetchone()
    return int(gone[0]) if gone else 0


def _repeat(look: Callable[[], None], seconds: float) -> None:
    while True:
        try:
            look()
            pause = seconds
        except Exception as error:
            log.error("a look failed", extra={"look": look.__name__, "error": str(error)})
            pause = min(seconds, RETRY_SECONDS)
        time.sleep(pause)
