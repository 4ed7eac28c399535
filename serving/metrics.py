"""The predictor's own metrics, in a registry of their own so that two apps never collide."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Requests by route and status, and who is served."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "finpulse_http_requests_total",
            "Answered requests.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.duration = Histogram(
            "finpulse_http_request_duration_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.champion = Gauge(
            "finpulse_serving_champion_info",
            "The champion that is served; always 1.",
            ("universe", "version", "bundle"),
            registry=self.registry,
        )
        self.database = Gauge(
            "finpulse_serving_database_up",
            "1 when the last look at the ledger was answered.",
            registry=self.registry,
        )
        self.refused = Counter(
            "finpulse_serving_bundle_failures_total",
            "Checks of a champion's bundle that failed: it was not served.",
            registry=self.registry,
        )
        self.newest = Gauge(
            "finpulse_serving_newest_forecast_timestamp_seconds",
            "Time at which the newest forecast that is served was decided.",
            registry=self.registry,
        )

    def text(self) -> bytes:
        """The exposition that Prometheus scrapes."""
        return generate_latest(self.registry)
