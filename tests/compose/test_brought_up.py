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

from training.recipe import recipe  # noqa: E402

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
        reason="compose is brought up by podman, netavark, aardvark-dns, iptables, podman-compose",
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

    def up(self, names: list[str]) -> None:
        """Each when those before it are healthy, for which podman before 4.6 does not wait."""
        for name in names:
            self("up", "--detach", "--no-build", "--no-deps", name)
            self.wait(name)

    def wait(self, name: str) -> None:
        """Return when it is healthy; fails with what it wrote last."""
        try:
            wait_for(lambda: self.healthy(name), 600)
        except AssertionError:
            said = self.machine.run("podman", "logs", "--tail", "60", f"finpulse_{name}_1")
            raise AssertionError(
                f"{name} is not healthy: {(said.stdout + said.stderr)[-4000:]}"
            ) from None

    def inside(self, name: str, *words: str) -> str:
        """Run a command in a service's container; its output."""
        return self.machine.podman("exec", f"finpulse_{name}_1", *words)

    def verb(self, *words: str) -> str:
        """Run a verb as tasks do, in a container of its own; the last line that it prints."""
        told = [word for key, value in SIZE.items() for word in ("-e", f"{key}={value}")]
        alone = ["run", "--rm", "--no-deps", "-T", *told, "airflow-scheduler", "python", "-m"]
        return self(*alone, *words).strip().splitlines()[-1]


def images(store: ImageStore, folder: Path) -> None:
    for target in ("platform", "predictor", "monitoring"):
        store.image(target)
    postgres_image(store, folder)
    for service in SERVICES.values():
        if service["image"].partition(":")[0] in PACKAGED:
            packaged_image(store, service["image"])


def secrets_of(folder: Path) -> dict[str, str]:
    """What `.env` would say; secrets are files in `folder`, beside podman.yaml."""
    passwords = {name: secrets.token_hex(24) for name in REQUIRED}
    passwords["AIRFLOW_FERNET_KEY"] = urlsafe_b64encode(os.urandom(32)).decode()
    passwords["API_KEYS"] = f"desk:{secrets.token_hex(16)}"
    known = {"admin": "a", "monitoring": passwords["AIRFLOW_MONITORING_PASSWORD"]}
    told = {"airflow_passwords": json.dumps(known)}
    text = (FOLDER / "podman.yaml").read_text()
    (folder / "secrets").mkdir()
    for name in yaml.load(text, yaml.BaseLoader)["secrets"]:
        (folder / "secrets" / name).write_text(told.get(name, "http://127.0.0.1:1/hook"))
    (folder / "podman.yaml").write_text(text.replace("./secrets", f"{folder}/secrets"))
    return passwords


@pytest.fixture(scope="module")
def compose(image_store: ImageStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    folder = tmp_path_factory.mktemp("compose")
    images(image_store, folder)
    passwords = secrets_of(folder)
    files = [f"--file={FOLDER / 'compose.yaml'}", f"--file={folder / 'podman.yaml'}"]
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


def learn(compose: Compose) -> None:
    """A small market is loaded, its texts are read, the plainest champion comes and foretells."""
    compose.verb("etl", "load", "--in-process")
    first, last = compose.verb("etl", "extent").split()
    snapshot = compose.verb("contracts", "snapshot", "--run", "try")
    place = ("--session", last, "--snapshot", snapshot)
    text = compose.verb("training", "score-text", *place)
    span = ("--first", first, "--last", last, "--snapshot", snapshot, "--text-model", text)
    compose.verb("features", "materialise", "--view", recipe(RECIPE).view, *span)
    # Nothing is tuned for it, which would take minutes more.
    compose.verb("training", "zero", *place, "--recipe", RECIPE)
    compose.verb("serving", "predict", *place)


KEPT = ("bars", "sentiments", "embeddings", "promotions", "predictions")


def kept(compose: Compose) -> dict[str, Any]:
    """What must outlive containers: facts and embeddings, and models in both places."""
    psql = [
        "psql",
        "--host=/run/postgresql",
        "--username=postgres",
        "--dbname=finpulse",
        "-At",
        "-c",
    ]
    listed = "find {} -type f -exec sha256sum {{}} + | sort"
    found: dict[str, Any] = {
        name: int(compose.inside("postgres", *psql, f"SELECT count(*) FROM {name}"))
        for name in KEPT
    }
    for name, place in (("predictor", "/objects"), ("mlflow", "/artifacts")):
        found[place] = compose.inside(name, "sh", "-c", listed.format(place)).splitlines()
    return found


def task_log(compose: Compose) -> str:
    """A run of a DAG; the file in which its task wrote."""
    dags = ["podman", "exec", "finpulse_airflow_1", "airflow", "dags"]
    # It is healthy before it has read its DAGs.
    wait_for(lambda: not compose.machine.run(*dags, "trigger", "release_champion").returncode, 300)
    compose.inside("airflow", "airflow", "dags", "unpause", "release_champion")
    found = "find /logs/dag_id=release_champion -name 'attempt=1.log' | head -1 | grep ."

    def there() -> bool:
        command = ["podman", "exec", "finpulse_airflow_1", "sh", "-c", f"{found} | xargs cat"]
        lines = compose.machine.run(*command).stdout.splitlines()
        # Airflow ends a log with what follows the command.
        return any("exited" in line for line in lines) and "endgroup" in lines[-1]

    wait_for(there, 300)
    compose.inside("airflow", "airflow", "dags", "pause", "release_champion")
    return compose.inside("airflow", "sh", "-c", found)


def answered(compose: Compose) -> Any:
    """What the predictor says of an instrument, but for its age; None while it says nothing."""
    told = asked(compose, "8000/predict", json.dumps({"symbols": ["SIM001"]}))
    return told and [one | {"data_age_seconds": None} for one in told["predictions"]]


def scraped(compose: Compose, at: float) -> int:
    """How many targets Prometheus knew to be up at that moment."""
    told = asked(compose, f"9090/api/v1/query?query=up%3D%3D1&time={at}")
    return len(told["data"]["result"]) if told else 0


# What foretells: the airflow in whose pods the rest is done starts for minutes.
FEW = ["postgres", "mlflow", "migration", "predictor"]


def test_what_was_made_outlives_every_container(compose: Compose) -> None:
    compose.up(FEW)
    learn(compose)
    wait_for(lambda: answered(compose) is not None)
    answer, before = answered(compose), kept(compose)
    assert answer[0]["symbol"] == "SIM001" and all(before.values())

    compose("restart", *FEW)
    for name in FEW:
        compose.wait(name)
    wait_for(lambda: answered(compose) is not None)
    assert (answered(compose), kept(compose)) == (answer, before)

    compose("down")
    assert not compose.machine.podman("ps", "--all", "--quiet")
    compose.up(FEW)
    wait_for(lambda: answered(compose) is not None)
    assert (answered(compose), kept(compose)) == (answer, before)


def test_all_come_up_and_logs_and_measurements_outlive_them(compose: Compose) -> None:
    compose.up(in_order())
    log = task_log(compose)
    written = compose.inside("airflow", "cat", log)
    wait_for(lambda: scraped(compose, time.time()) == 2)
    at = time.time()

    compose("restart")
    for name in in_order():
        compose.wait(name)
    assert compose.inside("airflow", "cat", log) == written
    assert scraped(compose, at) == 2, "Prometheus forgot"
