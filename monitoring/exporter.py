"""The exporter: a scrape is answered from memory, the tables are read every ten seconds."""

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from contracts.store import Store
from monitoring import catch_up
from monitoring.alias import RESULTS, reconcile
from monitoring.gauges import gauges
from training.tracking import Mlflow

log = logging.getLogger(__name__)

REFRESH_SECONDS = 10.0
# What failed to forecast is asked again after this.
RETRY_SECONDS = 60.0


class Exporter(Collector):
    """Metrics of one universe's tables, the reconciler of its champion's alias, and its forecasts.

    While the database is away the gauges are absent, not stale, and `finpulse_database_up` is 0.
    """

    def __init__(self, store: Store, server: Mlflow, universe: str) -> None:
        self._store, self._server, self._universe = store, server, universe
        self._families: list[GaugeMetricFamily] = []
        self._failed: tuple[catch_up.Gap | None, float] = (None, 0.0)
        self.registry = CollectorRegistry()
        self._database = Gauge(
            "finpulse_database_up", "1 when the tables were read.", registry=self.registry
        )
        self._mlflow = Gauge(
            "finpulse_mlflow_up", "1 when MLflow's alias was compared.", registry=self.registry
        )
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
        """The gauges of the last look; called by a scrape."""
        yield from self._families

    def run(self, stop: threading.Event) -> None:
        """Look every ten seconds until told to stop; whatever fails is logged and tried again."""
        while True:
            self.look()
            if stop.wait(REFRESH_SECONDS):
                return

    def look(self) -> None:
        """Read the tables once and reconcile the alias once."""
        now = datetime.now(UTC)
        try:
            self._families = gauges(self._store, self._universe, now)
            self._database.set(1)
        except Exception as error:
            self._families = []
            self._database.set(0)
            log.error("the tables cannot be read", extra={"error": str(error)})
            return
        try:
            self._results.labels(reconcile(self._store, self._server, self._universe, now)).inc()
            self._mlflow.set(1)
        except Exception as error:
            self._mlflow.set(0)
            log.error("the alias cannot be compared", extra={"error": str(error)})
        self._catch_up()

    def _catch_up(self) -> None:
        missed = catch_up.gap(self._store, self._universe)
        former, failed_at = self._failed
        if missed is None or (missed == former and time.monotonic() - failed_at < RETRY_SECONDS):
            return
        self._failed = (None, 0.0) if catch_up.fill(missed) else (missed, time.monotonic())
