"""The predictor's own metrics, in a registry of their own so that two apps never collide.

Where several workers serve, `PROMETHEUS_MULTIPROC_DIR` names a folder in which each keeps its
numbers (prometheus_client decides so when it is imported), and any of them answers for all.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from contracts.champion import Champion, Office

SHARED = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
# An answer is looked up and joined: finer than the time of a whole request.
_ANSWER_BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, *_BUCKETS)
_CHAMPION = "finpulse_serving_champion_info"
_OFFICE = ("universe", "target")


# An answer is given, or refused as the question deserves (by both arms alike), or the arm could
# not answer.
ANSWERED, REFUSED, FAILED = OUTCOMES = ("answered", "refused", "failed")


@dataclass(frozen=True)
class Arm:
    """How one arm does: its answers by outcome, and the time that each took."""

    outcomes: Mapping[str, Counter]
    seconds: Histogram

    def count(self, outcome: str, seconds: float) -> None:
        """Count an answer."""
        self.outcomes[outcome].inc()
        self.seconds.observe(seconds)


class Metrics:
    """Requests by route and status, and who is served."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._shared = os.environ.get(SHARED, "")
        self._served: dict[Office, tuple[str, str, str, str]] = {}
        self._requests = Counter(
            "finpulse_http_requests_total",
            "Answered requests.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._duration = Histogram(
            "finpulse_http_request_duration_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._name_gauges()
        self._name_arms()
        counter = partial(Counter, registry=self.registry)
        self.refused = counter(
            "finpulse_serving_bundle_failures_total",
            "Checks of a champion's bundle that failed: it was not served.",
            _OFFICE,
        )
        self.dropped = counter(
            "finpulse_serving_calls_unrecorded_total",
            "Answered calls that the table `requests` will not show: its database was away.",
        )
        # Finding a series by its labels takes longer than counting.
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def _name_gauges(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self._champion = gauge(
            _CHAMPION,
            "The champion that is served of an office; always 1.",
            (*_OFFICE, "version", "bundle"),
            multiprocess_mode="livemax",
        )
        self._waiting = gauge(
            "finpulse_serving_office_waiting",
            "1 while another one than the champion in office is served, or nobody.",
            _OFFICE,
            multiprocess_mode="livemax",
        )
        self.database = gauge(
            "finpulse_serving_database_up",
            "1 when the last look at the ledger was answered.",
            multiprocess_mode="livemin",
        )
        self._newest = gauge(
            "finpulse_serving_newest_forecast_timestamp_seconds",
            "Time at which the newest forecast that is served of an office was decided.",
            _OFFICE,
            multiprocess_mode="livemin",
        )

    def _name_arms(self) -> None:
        labels = (*_OFFICE, "arm", "bundle")
        self._answers = Counter(
            "finpulse_arm_answers_total",
            "Forecasts asked for while a challenger is staged, by the arm that was to answer.",
            (*labels, "outcome"),
            registry=self.registry,
        )
        self._answering = Histogram(
            "finpulse_arm_answer_duration_seconds",
            "Time in which an arm made its answer.",
            labels,
            buckets=_ANSWER_BUCKETS,
            registry=self.registry,
        )

    def arm(self, office: Office, arm: str, bundle: str) -> "Arm":
        """What an arm's answers are counted by; all outcomes are shown from now on, at 0 too."""
        labels = (office.universe, office.target, arm, bundle[:12])
        counters = {name: self._answers.labels(*labels, name) for name in OUTCOMES}
        return Arm(counters, self._answering.labels(*labels))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (method, route, status)
        if key not in self._known:
            counter = self._requests.labels(method, route, str(status))
            self._known[key] = counter, self._duration.labels(method, route)
        counter, histogram = self._known[key]
        counter.inc()
        histogram.observe(seconds)

    def serve(self, champion: Champion) -> None:
        """Name the champion that is served of its office from now on."""
        office = champion.office
        if office in self._served:
            self._champion.labels(*self._served[office]).set(0)
        place = (office.universe, office.target)
        self._served[office] = (*place, str(champion.model_version), champion.bundle)
        self._champion.labels(*self._served[office]).set(1)

    def wait(self, office: Office, waiting: str) -> None:
        """Tell whether the office's champion waits to be served, for whatever reason."""
        self._waiting.labels(office.universe, office.target).set(bool(waiting))

    def show(self, office: Office, decided: float) -> None:
        """Tell when the newest forecast that is served of the office was decided."""
        self._newest.labels(office.universe, office.target).set(decided)

    def text(self) -> bytes:
        """The exposition that Prometheus scrapes, of all workers."""
        shown = CollectorRegistry()
        shown.register(_Shown(self._collected()))
        return generate_latest(shown)

    def _collected(self) -> Iterable[Metric]:
        if not self._shared:
            return self.registry.collect()
        _forget_dead_workers(Path(self._shared))
        merged = MultiProcessCollector(None, self._shared)  # type: ignore[no-untyped-call]
        return cast(Iterable[Metric], merged.collect())  # type: ignore[no-untyped-call]


class _Shown:
    """Metrics without the champions of former times: a series that was can only be set to 0."""

    def __init__(self, collected: Iterable[Metric]) -> None:
        self._collected = collected

    def collect(self) -> Iterator[Metric]:
        for metric in self._collected:
            if metric.name == _CHAMPION:
                metric.samples = [s for s in metric.samples if s.value]
            yield metric


def _forget_dead_workers(folder: Path) -> None:
    # What a worker counted stays; what it was (its champion, its database) ends with it.
    for path in folder.glob("gauge_live*.db"):
        pid = int(path.stem.rsplit("_", 1)[1])
        if not Path("/proc", str(pid)).exists():
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
