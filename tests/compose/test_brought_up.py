"""The compose file brought up by podman, on the images as they ship and stand-ins for others'."""

import json
import os
import re
import secrets
import shutil
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import private_machine
import pytest
import yaml
from private_machine import Machine, machine
from shipped_images import ImageStore, buildable
from stand_in_images import PACKAGED, packaged_image, postgres_image

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "compose"
sys.path[:0] = [str(ROOT / "tests" / "fixtures"), str(ROOT / "infra" / "release")]

from predictor import wait_for  # noqa: E402
from rehearse import RECIPE, SIZE  # noqa: E402

SERVICES: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
REQUIRED = set(re.findall(r"\$\{(\w+):\?", (FOLDER / "compose.yaml").read_text()))
# Of these nobody packages a server.
LEFT_OUT = ("loki", "shipper", "grafana")
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
missing = [*private_machine.missing(), *([] if shutil.which("podman-compose", path=PATH) else [""])]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    buildable,
    pytest.mark.skipif(
        bool(missing),
        reason="compose is brought up by podman, netavark, aardvark-dns and podman-compose",
    ),
]


def in_order() -> list[str]:
    """The services, each after those that it depends on."""
    done: list[str] = []
    asked = [name for name in SERVICES if name not in LEFT_OUT]
    while len(done) < len(asked):
        ready = (n for n in asked if n not in done)
        done.append(next(n for n in ready if set(SERVICES[n].get("depends_on", {})) <= set(done)))
    return done


@dataclass(frozen=True)
class Compose:
    """The stack of the compose file on a machine of its own."""

    machine: Machine
    files: list[str]
    passwords: dict[str, str]

    def __call__(self, *words: str) -> str:
        command = ["podman-compose", "--in-pod", "false", *self.files, *words]
        done = self.machine.run(*command, environment={**self.passwords, "PATH": PATH})
        assert done.returncode == 0, f"{' '.join(words)}: {(done.stdout + done.stderr)[-4000:]}"
        return done.stdout

    def healthy(self, name: str) -> bool:
        """By its own health check; who has none has ended well."""
        container = f"finpulse_{name}_1"
        if "healthcheck" in SERVICES[name]:
            return self.machine.run("podman", "healthcheck", "run", container).returncode == 0
        asked = ["podman", "inspect", "--format", "{{json .State}}", container]
        state = json.loads(self.machine.run(*asked).stdout)
        if SERVICES[name]["restart"] == "on-failure":
            return bool(state["Status"] == "exited" and state["ExitCode"] == 0)
        return bool(state["Running"])

    def up(self) -> None:
        """Each when those before it are healthy, for which podman before 4.6 does not wait."""
        for name in in_order():
            self("up", "--detach", "--no-build", "--no-deps", name)
            self.wait(name)

    def wait(self, name: str) -> None:
        """Return when it is healthy; fails with what it wrote last."""
        try:
            wait_for(lambda: self.healthy(name), 300)
        except AssertionError:
            said = self.machine.run("podman", "logs", "--tail", "60", f"finpulse_{name}_1")
            raise AssertionError(
                f"{name} is not healthy: {(said.stdout + said.stderr)[-4000:]}"
            ) from None

    def inside(self, name: str, *words: str) -> str:
        """Run a command in a service's container; the last line that it prints."""
        told = [f"--env={key}={value}" for key, value in SIZE.items()]
        done = self.machine.run("podman", "exec", *told, f"finpulse_{name}_1", *words)
        assert done.returncode == 0, f"{' '.join(words)}: {(done.stdout + done.stderr)[-4000:]}"
        return (done.stdout.strip().splitlines() or [""])[-1]

    def verb(self, *words: str) -> str:
        """Run a verb where tasks run."""
        return self.inside("airflow-scheduler", "python", "-m", *words)


@pytest.fixture(scope="module")
def compose(image_store: ImageStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    folder = tmp_path_factory.mktemp("compose")
    for target in ("platform", "predictor", "monitoring"):
        image_store.image(target)
    postgres_image(image_store, folder)
    for service in SERVICES.values():
        if service["image"].partition(":")[0] in PACKAGED:
            packaged_image(image_store, service["image"])
    passwords = {name: secrets.token_hex(24) for name in REQUIRED}
    passwords["AIRFLOW_FERNET_KEY"] = urlsafe_b64encode(os.urandom(32)).decode()
    passwords["API_KEYS"] = f"desk:{secrets.token_hex(16)}"
    known = {"admin": "a", "monitoring": passwords["AIRFLOW_MONITORING_PASSWORD"]}
    told = {"airflow_passwords": json.dumps(known)}
    text = (FOLDER / "podman.yaml").read_text()
    (folder / "secrets").mkdir()
    for name in yaml.load(text, yaml.BaseLoader)["secrets"]:
        (folder / "secrets" / name).write_text(told.get(name, "http://127.0.0.1:1/hook"))
    ours = folder / "podman.yaml"
    ours.write_text(text.replace("./secrets", f"{folder}/secrets"))
    files = ["--file", str(FOLDER / "compose.yaml"), "--file", str(ours)]
    with machine(folder / "machine", image_store.folder / "root", image_store.driver) as made:
        brought = Compose(made, files, passwords)
        yield brought
        brought("down", "--volumes")


# From the machine itself, by the port that compose publishes.
ASK = """
import sys, urllib.request as u
url, key, body = sys.argv[1:]
told = {"X-API-Key": key, "Content-Type": "application/json"}
print(u.urlopen(u.Request(url, body.encode() or None, told), timeout=30).read().decode())
"""


def asked(compose: Compose, url: str, body: str = "") -> Any:
    """The answer of a published port, None while there is none."""
    key = compose.passwords["API_KEYS"].partition(":")[2]
    done = compose.machine.run(sys.executable, "-c", ASK, f"http://127.0.0.1:{url}", key, body)
    return json.loads(done.stdout) if done.returncode == 0 else None


def learn(compose: Compose) -> str:
    """A small market is loaded, its texts read, a champion taught and asked; the last session."""
    compose.verb("etl", "load", "--in-process")
    first, last = compose.verb("etl", "extent").split()
    place = ("--session", last, "--snapshot", compose.verb("contracts", "snapshot", "--run", "try"))
    compose.verb("training", "score-text", *place)
    compose.verb("training", "train", "--first", first, *place, "--recipes", RECIPE)
    compose.verb("serving", "predict", *place)
    return last


COUNTS = """
from contracts.store import open_store
names = ("bars", "sentiments", "embeddings", "champions", "predictions")
store = open_store()
print({n: store.query(f"SELECT count(*) AS n FROM {n}")["n"].to_pylist()[0] for n in names})
"""


def kept(compose: Compose, log: str) -> dict[str, Any]:
    """What must outlive containers: facts and embeddings, models in both places, a task's log."""
    listed = "find {} -type f -exec sha256sum {{}} + | sort | sha256sum"
    scheduler = "airflow-scheduler"
    return {
        "facts": compose.inside(scheduler, "python", "-c", COUNTS),
        "objects": compose.inside(scheduler, "sh", "-c", listed.format("/objects")),
        "artifacts": compose.inside("mlflow", "sh", "-c", listed.format("/artifacts")),
        "log": compose.inside("airflow", "sha256sum", log),
    }


def task_log(compose: Compose) -> str:
    """A run of a DAG; the file in which its task wrote."""
    compose.inside("airflow", "airflow", "dags", "unpause", "release_champion")
    compose.inside("airflow", "airflow", "dags", "trigger", "release_champion")
    found = "find /logs/dag_id=release_champion -name 'attempt=1.log' | head -1 | grep ."

    def there() -> bool:
        command = ["podman", "exec", "finpulse_airflow_1", "sh", "-c", f"{found} | xargs tail -1"]
        return "exited" in compose.machine.run(*command).stdout

    wait_for(there, 300)
    compose.inside("airflow", "airflow", "dags", "pause", "release_champion")
    return compose.inside("airflow", "sh", "-c", found)


@dataclass(frozen=True)
class Made:
    """What the stack was asked and what it had, before its containers went."""

    compose: Compose
    log: str
    at: float
    seen: dict[str, Any]

    @classmethod
    def of(cls, compose: Compose) -> "Made":
        """A market, a champion, a task's log, an answer and two targets that were scraped."""
        learn(compose)
        log = task_log(compose)
        wait_for(lambda: answered(compose) is not None)
        wait_for(lambda: scraped(compose) == 2)
        time.sleep(1)  # What was scraped lies before the moment that is asked of.
        seen = {"answer": answered(compose), **kept(compose, log)}
        return cls(compose, log, time.time(), seen)

    def check(self) -> None:
        """All of it is still there."""
        wait_for(lambda: answered(self.compose) is not None)
        assert {"answer": answered(self.compose), **kept(self.compose, self.log)} == self.seen
        assert scraped(self.compose, self.at) == 2, "Prometheus forgot"


def answered(compose: Compose) -> Any:
    told = asked(compose, "8000/predict", json.dumps({"symbols": ["SIM001"]}))
    return told and [(row["symbol"], row["prediction_id"]) for row in told["predictions"]]


def scraped(compose: Compose, at: float | None = None) -> int:
    when = f"&time={at}" if at else ""
    told = asked(compose, f"9090/api/v1/query?query=up%3D%3D1{when}")
    return len(told["data"]["result"]) if told else 0


def test_all_come_up_and_what_was_made_outlives_every_container(compose: Compose) -> None:
    compose.up()
    made = Made.of(compose)
    assert made.seen["answer"]

    compose("restart")
    for name in in_order():
        compose.wait(name)
    made.check()

    compose("down")
    assert not compose.machine.podman("ps", "--all", "--quiet")
    compose.up()
    made.check()
