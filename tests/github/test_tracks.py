"""The gate of a canary image, on numbers of all kinds and on a real Prometheus."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import postgres
import promql_parser
import pytest
import yaml
from aiohttp import web

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "fixtures"), str(ROOT / "infra" / "release")]

import gate  # noqa: E402
import tracks  # noqa: E402
from cluster import serving  # noqa: E402


class Numbers:
    """What a Prometheus would say of two tracks."""

    def __init__(self, **told: float | None) -> None:
        usual: dict[str, float | None] = {"up": 1, "slow_stable": 0.05, "slow_canary": 0.06}
        usual |= {"calls_stable": 9000, "calls_canary": 1000}
        self.told = usual | {"errors_stable": 0, "errors_canary": 0} | told

    def __call__(self, query: str) -> float | None:
        promql_parser.parse(query)
        track = "canary" if 'track="canary"' in query else "stable"
        if "up{" in query:
            return self.told["up"]
        kind = "slow" if "quantile" in query else "errors" if "5.." in query else "calls"
        return self.told[f"{kind}_{track}"]


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ({}, "PROMOTE"),
        ({"errors_canary": 5}, "PROMOTE"),  # half a point more is allowed
        ({"errors_canary": 6}, "ROLLBACK"),
        ({"errors_stable": 900, "errors_canary": 100}, "PROMOTE"),  # all are as bad
        ({"errors_stable": None, "errors_canary": None}, "PROMOTE"),  # nobody has failed yet
        ({"errors_canary": 1000}, "ROLLBACK"),
        ({"slow_canary": 0.15}, "PROMOTE"),
        ({"slow_canary": 0.16}, "ROLLBACK"),
        ({"slow_canary": None}, "HOLD"),
        ({"calls_canary": 199}, "HOLD"),
        ({"calls_canary": None}, "HOLD"),
        ({"calls_stable": 0, "calls_canary": None}, "HOLD"),
        ({"calls_canary": 199, "errors_canary": 3}, "HOLD"),  # three of few tell nothing
        ({"calls_stable": 10, "errors_canary": 100}, "ROLLBACK"),  # enough of it are bad
        ({"up": 0}, "ROLLBACK"),
        ({"up": None}, "PROMOTE"),  # its calls are counted all the same
    ],
)
def test_the_verdict_follows_the_numbers(told: dict[str, float | None], verdict: str) -> None:
    found, said = tracks.judged(Numbers(**told), "10m", tracks.LEAST)
    assert found == verdict, said


def test_words_and_codes_are_those_that_the_workflow_reads() -> None:
    assert tracks.CODES == gate.VERDICTS
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
    assert workflow["env"]["RELEASE_GATE"].endswith("|| 'python3 infra/release/tracks.py' }}")


def asked(url: str, *words: str) -> tuple[int, list[str]]:
    command = [sys.executable, str(ROOT / "infra" / "release" / "tracks.py"), *words]
    told = {"PATH": os.environ["PATH"], "RELEASE_PROMETHEUS": url}
    done = subprocess.run(command, env=told, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


def test_a_prometheus_that_is_away_is_no_verdict(tmp_path: Path) -> None:
    code, said = asked(f"http://127.0.0.1:{postgres.free_port()}")
    assert code == 75 and said[-1] == "HOLD" and "does not answer" in said[0]
    # By way of the cluster, where kubectl is not there or refuses.
    code, said = asked("/api/v1/nowhere")
    assert (code, said[-1]) == (75, "HOLD")


PAGE = """# TYPE finpulse_http_requests_total counter
finpulse_http_requests_total{{method="POST",route="/predict",status="200"}} {good}
finpulse_http_requests_total{{method="POST",route="/predict",status="500"}} {bad}
finpulse_http_requests_total{{method="GET",route="/health/live",status="500"}} {probes}
# TYPE finpulse_http_request_duration_seconds histogram
finpulse_http_request_duration_seconds_bucket{{method="POST",route="/predict",le="0.1"}} {good}
finpulse_http_request_duration_seconds_bucket{{method="POST",route="/predict",le="+Inf"}} {all}
"""


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    """A real one that asks two tracks, of which the canary fails one call in ten."""
    began = time.monotonic()

    async def page(request: web.Request) -> web.Response:
        done = int((time.monotonic() - began) * 1000)
        bad = done // 10 if request.match_info["track"] == "canary" else 0
        numbers = {"good": done - bad, "bad": bad, "all": done, "probes": done}
        return web.Response(text=PAGE.format(**numbers))

    app = web.Application()
    app.router.add_get("/{track}", page)
    port = postgres.free_port()
    with serving(app) as url:
        jobs = [
            {
                "targets": [url.removeprefix("http://")],
                "labels": {"track": track, "__metrics_path__": f"/{track}"},
            }
            for track in ("stable", "canary")
        ]
        about = {"job_name": "finpulse-predictor", "static_configs": jobs}
        chosen = {"global": {"scrape_interval": "500ms"}, "scrape_configs": [about]}
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(chosen))
        command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml"]
        command += [
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (tmp_path / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


@pytest.mark.integration
@pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="no prometheus: it is a Debian package"
)
def test_a_real_prometheus_tells_a_canary_that_fails_from_one_that_is_not_known_yet(
    prometheus: str,
) -> None:
    seen: set[str] = set()
    deadline = time.monotonic() + 60
    while "ROLLBACK" not in seen and time.monotonic() < deadline:
        code, said = asked(prometheus, "--window", "1m", "--least", "3000")
        assert code == tracks.CODES[said[-1]]
        seen.add(said[-1])
        time.sleep(0.3)
    assert seen == {"HOLD", "ROLLBACK"}, "too few calls at first, then one in ten is wrong"
    assert any("server errors: +10" in line or "server errors: +9" in line for line in said)
