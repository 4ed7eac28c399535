"""The routes of alerts, by a real Prometheus and a real Alertmanager into receivers that listen."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import postgres
import pytest
import yaml
from prometheus_server import scraping
from stub_server import serving

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "helm" / "monitoring" / "alertmanager" / "alertmanager.yml"
SECRETS = "/etc/alertmanager/secrets/finpulse-receivers"
ALERTMANAGER, AMTOOL = shutil.which("prometheus-alertmanager"), shutil.which("amtool")
needs_alertmanager = pytest.mark.skipif(
    ALERTMANAGER is None or AMTOOL is None or shutil.which("prometheus") is None,
    reason="no prometheus-alertmanager: it is a Debian package, as is `prometheus`",
)
RULES = sorted((ROOT / "helm" / "monitoring" / "rules").glob("*.yml"))


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(AMTOOL), *arguments], capture_output=True, text=True)


@needs_alertmanager
def test_the_routes_are_sound_and_what_is_not_is_found(tmp_path: Path) -> None:
    assert amtool("check-config", str(FILE)).returncode == 0
    wrong = tmp_path / "alertmanager.yml"
    wrong.write_text(FILE.read_text().replace("- receiver: pager", "- receiver: nobody"))
    assert amtool("check-config", str(wrong)).returncode == 1


def severities() -> Iterator[tuple[str, str]]:
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    yield rule["alert"], rule["labels"]["severity"]


@needs_alertmanager
@pytest.mark.parametrize(("alert", "severity"), severities())
def test_each_alert_reaches_who_its_severity_asks_for(alert: str, severity: str) -> None:
    for office in ((), ("universe=sim20", "target=trend_1")):
        told = [f"alertname={alert}", f"severity={severity}", *office]
        done = amtool("config", "routes", "test", f"--config.file={FILE}", *told)
        assert done.stdout.strip() == {"critical": "pager", "warning": "ticket"}[severity]


@dataclass
class Stub:
    """What is scraped and who is told, in one server: `told` has the messages by receiver."""

    metrics: dict[str, float]
    told: dict[str, list[str]] = field(default_factory=lambda: {"pager": [], "ticket": []})

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Its URL."""
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                lines = [f"{name} {value}" for name, value in stub.metrics.items()]
                self._answer("\n".join([*lines, ""]))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                [message] = body["attachments"]
                stub.told[self.path[1:]].append(f"{message['title']}\n{message['text']}")
                self._answer("ok")

            def _answer(self, text: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(text.encode())

        with serving(Handler) as server:
            yield f"http://127.0.0.1:{server.server_port}"

    def heard(self, receiver: str, *words: str) -> bool:
        """Whether one message to the receiver has all of the words."""
        return any(all(word in text for word in words) for text in self.told[receiver])


@contextmanager
def alertmanager(folder: Path, receivers: str) -> Iterator[str]:
    """The address of an Alertmanager with our routes, whose waits are seconds."""
    for name in ("pager", "ticket"):
        (folder / name).write_text(f"{receivers}/{name}")
    routes = yaml.safe_load(FILE.read_text().replace(SECRETS, str(folder)))
    for route in (routes["route"], *routes["route"]["routes"]):
        route |= {"group_wait": "3s", "group_interval": "1s"}
    (folder / "alertmanager.yml").write_text(json.dumps(routes))
    address = f"127.0.0.1:{postgres.free_port()}"
    command = [str(ALERTMANAGER), f"--config.file={folder}/alertmanager.yml"]
    command += [f"--storage.path={folder}/silences", f"--web.listen-address={address}"]
    command += ["--cluster.listen-address="]
    with (folder / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log)
    try:
        yield address
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    """Receivers behind our routes and our rules; the rules fire at once, nothing is wrong yet."""
    made = Stub({"finpulse_database_up": 1, "finpulse_airflow_up": 1})
    hasty = []
    for file in RULES:
        groups = yaml.safe_load(file.read_text())
        for group in groups["groups"]:
            group["interval"] = "1s"
            for rule in group["rules"]:
                rule.pop("for", None)
        hasty.append(str(tmp_path / file.name))
        Path(hasty[-1]).write_text(json.dumps(groups))
    with ExitStack() as stack:
        url = stack.enter_context(made.listening())
        jobs = {"finpulse-predictor": url, "finpulse-exporter": url}
        address = stack.enter_context(alertmanager(tmp_path, url))
        asked = stack.enter_context(scraping(jobs, tmp_path, hasty, alertmanager=address))
        until(lambda: up(asked))
        yield made


def up(prometheus: str) -> bool:
    try:
        answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": "up == 1"})
        return len(answer.json()["data"]["result"]) == 2
    except (httpx.HTTPError, KeyError, ValueError):
        return False


def until(question: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.2)


def drifted(universe: str, severe: bool) -> dict[str, float]:
    """A champion all of whose features alarm, and one of them far off or not."""
    labels = f'{{universe="{universe}",target="trend_1",test="ks",feature="rsi"}}'
    score = 5.0 if severe else 1.5
    names = {"finpulse_drift_alarm": 1.0, "finpulse_drift_score": score}
    return {f"{name}{labels}": v for name, v in (names | {"finpulse_drift_threshold": 1.0}).items()}


@needs_alertmanager
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_alert_and_its_end_reach_the_receiver_of_its_severity(stub: Stub) -> None:
    stub.metrics |= {"finpulse_database_up": 0}
    until(
        lambda: stub.heard("pager", "FIRING", "critical of the services", "DatabaseAway (firing)")
    )
    stub.metrics |= {"finpulse_database_up": 1, "finpulse_airflow_up": 0}
    until(lambda: stub.heard("pager", "RESOLVED", "FinpulseDatabaseAway (resolved)"))
    until(lambda: stub.heard("ticket", "FIRING", "FinpulseAirflowAway (firing)", "Bring Airflow"))
    stub.metrics |= {"finpulse_airflow_up": 1}
    until(lambda: stub.heard("ticket", "RESOLVED", "FinpulseAirflowAway (resolved)"))
    assert not stub.heard("ticket", "DatabaseAway") and not stub.heard("pager", "AirflowAway")


@needs_alertmanager
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_call_about_an_office_spares_it_its_lesser_alarms_and_no_other(stub: Stub) -> None:
    stub.metrics |= drifted("sim20", severe=True) | drifted("london8", severe=False)
    stub.metrics |= {"finpulse_airflow_up": 0}
    until(lambda: stub.heard("pager", "critical of sim20/trend_1", "FinpulseDriftSevere"))
    until(lambda: stub.heard("ticket", "london8/trend_1", "FinpulseDrift (firing)"))
    until(lambda: stub.heard("ticket", "FinpulseAirflowAway"))
    assert not stub.heard("ticket", "sim20"), "whoever was called knows"
    stub.metrics |= drifted("sim20", severe=False)
    until(lambda: stub.heard("ticket", "sim20/trend_1", "FinpulseDrift (firing)"))
