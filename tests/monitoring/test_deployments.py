"""Pods of a new image beside those in office, as a real Prometheus counts them."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import free_port
from predictor import wait_for
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_server import scraping
from typer.testing import CliRunner

from contracts.settings import settings
from monitoring.__main__ import app
from monitoring.release import deployments
from monitoring.release.check import FAIL, NO_DATA, PASS

pytestmark = pytest.mark.integration

_ASKED = ("method", "route", "status")


class Pod:
    """What one predictor exports, told by hand."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.requests = Counter("finpulse_http_requests", "x", _ASKED, registry=registry)
        name = "finpulse_http_request_duration_seconds"
        self.times = Histogram(name, "x", _ASKED[:2], registry=registry)
        labels = ("universe", "target")
        self.waiting = Gauge("finpulse_serving_office_waiting", "x", labels, registry=registry)
        self.compared = Counter("finpulse_feature_comparisons", "x", registry=registry)
        self.skew = Counter("finpulse_feature_skew", "x", ("feature",), registry=registry)
        port = free_port()
        self.server, _ = start_http_server(port, "127.0.0.1", registry)
        self.url = f"http://127.0.0.1:{port}"
        self.waiting.labels("sim20", "trend_1").set(0)
        self.answer(0)
        self.answer(0, 500)

    def answer(self, count: int, status: int = 200, seconds: float = 0.001) -> None:
        """So many calls, all alike."""
        self.requests.labels("POST", "/predict", str(status)).inc(count)
        times = self.times.labels("POST", "/predict")
        for _ in range(count):
            times.observe(seconds)


@pytest.fixture
def pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Pod, Pod]]:
    """One of either track, scraped every second."""
    stable, canary = Pod(), Pod()
    jobs = {"stable": stable.url, "canary": canary.url}
    with scraping(jobs, tmp_path, label="track") as url:
        monkeypatch.setenv("FINPULSE_PROMETHEUS_URL", url)
        monkeypatch.setenv("FINPULSE_RELEASE_REQUESTS", "100")
        settings.cache_clear()
        # Counters that were seen at nothing have an increase from then on.
        wait_for(lambda: results()["offices that wait"] == PASS, 60)
        yield stable, canary
    stable.server.shutdown()
    canary.server.shutdown()


def results() -> dict[str, str]:
    return {one.name: one.result for one in deployments.checks(60)}


def test_a_canary_goes_on_waits_or_goes(pods: tuple[Pod, Pod]) -> None:
    stable, canary = pods
    time.sleep(2.5)
    assert results()["answers"] == NO_DATA and results()["feature skew, values"] == NO_DATA
    held = CliRunner().invoke(app, ["canary", "--seconds", "60"])
    assert (held.exit_code, held.output.split()[-1]) == (75, "HOLD")
    stable.answer(400)
    canary.answer(300)
    canary.compared.inc(100)
    canary.skew.labels("mom_5").inc(0)
    wait_for(lambda: set(results().values()) == {PASS}, 30)
    passed = CliRunner().invoke(app, ["canary", "--seconds", "60"])
    assert (passed.exit_code, passed.output.split()[-1]) == (0, "PROMOTE")
    canary.skew.labels("mom_5").inc(1)
    wait_for(lambda: results()["feature skew, values"] == FAIL, 30)
    canary.waiting.labels("sim20", "trend_1").set(1)
    wait_for(lambda: results()["offices that wait"] == FAIL, 30)
    canary.answer(20, 500, seconds=0.5)
    wait_for(lambda: results()["failed answers, %"] == FAIL, 30)
    wait_for(lambda: results()["slowest answer in 100, ms"] == FAIL, 30)
    gone = CliRunner().invoke(app, ["canary", "--seconds", "60"])
    assert (gone.exit_code, gone.output.split()[-1]) == (1, "ROLLBACK")


def test_without_a_prometheus_nobody_goes_on() -> None:
    assert set(results().values()) == {NO_DATA}
