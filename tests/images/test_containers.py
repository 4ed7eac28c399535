"""The images as they ship: built by buildah, run without rights on a root that is for reading."""

import errno
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import postgres
import pytest
from market import FLAT, Market
from predictor import wait_for
from shipped_images import ImageStore, buildable

from contracts.store import Store

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    buildable,
]

# What a cluster gives a pod to end in (helm/predictor/values.yaml), less its preStop's pause.
GRACE = 25
# The root for reading, a scratch of memory, the machine's names, no capability and no way to get
# one: as compose does.
HARDENED = """
set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t tmpfs tmpfs "$1/tmp"
mount --rbind /proc "$1/proc"
mount --rbind /dev "$1/dev"
mkdir -p "$1/tmp/objects"
touch "$1/etc/hosts"
mount --bind /etc/hosts "$1/etc/hosts"
mount --bind "$2" "$1/tmp/objects"
mount -o remount,ro,bind "$1"
root=$1
shift 2
exec chroot "$root" setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs \
  --inh-caps=-all --bounding-set=-all "$@"
"""


@dataclass(frozen=True)
class Image:
    """An image's root and what it says of itself."""

    root: Path
    config: dict[str, Any]
    objects: Path

    def start(self, settings: dict[str, str], *words: str) -> "subprocess.Popen[bytes]":
        """Run words, or the image's own command, without any right."""
        told = dict(each.split("=", 1) for each in self.config["Env"])
        assert self.config["User"] == "10001:10001"
        command = ["unshare", "--mount", "sh", "-c", HARDENED, "sh", str(self.root)]
        return subprocess.Popen(
            [*command, str(self.objects), *(words or self.config["Cmd"])],
            env=told | {"FINPULSE_OBJECTS_URL": "/tmp/objects"} | settings,
        )


@pytest.fixture
def image(image_store: ImageStore, objects: Path) -> Callable[[str], Image]:
    """An image by the name of its target."""
    return lambda target: Image(image_store.root(target), image_store.config(target), objects)


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An object store that all may read, also by way of pytest's closed folders."""
    made = tmp_path / "objects"
    made.mkdir(mode=0o755)
    monkeypatch.setenv("FINPULSE_OBJECTS_URL", str(made))
    return made


# Ends with the number of the error, so that it is no other.
PROBE = """
import os, pathlib, pwd
assert os.getuid() == 10001
(pathlib.Path.home() / "kept").touch()
assert pathlib.Path.home() == pathlib.Path(pwd.getpwuid(10001).pw_dir)
assert "CapEff:\\t0000000000000000" in open("/proc/self/status").read()
open("/tmp/scratch", "w")
try:
    open("/opt/finpulse/x", "w")
except OSError as error:
    os._exit(error.errno)
"""


# As trials are tuned.
ON_RAY = """
from training.steps.search import cluster
with cluster(1):
    import ray
    assert ray.get(ray.remote(lambda: 7).remote()) == 7
"""


def ends(program: "subprocess.Popen[bytes]") -> None:
    """It ends by itself when it is told, within what a cluster waits."""
    program.terminate()
    assert program.wait(GRACE) in (0, -signal.SIGTERM)


@pytest.mark.parametrize("target", ["predictor", "monitoring", "platform"])
def test_an_image_gives_no_right_and_nothing_to_write_on(
    image: Callable[[str], Image], target: str
) -> None:
    assert image(target).start({}, "python", "-c", PROBE).wait(60) == errno.EROFS


def test_the_predictor_serves_without_any_right(
    store: Store, image: Callable[[str], Image]
) -> None:
    market, port = Market(), postgres.free_port()
    market.crown(store, FLAT, 1)
    # The port is what a platform for containers says.
    settings = {"FINPULSE_DATABASE_URL": store.url, "PORT": str(port)}
    server = image("predictor").start(settings)
    url = f"http://127.0.0.1:{port}"

    def serves() -> bool:
        assert server.poll() is None
        try:
            return httpx.get(f"{url}/predict/SIM001", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_for(serves, 300)
        wait_for(lambda: store.query("SELECT FROM requests").num_rows > 0)
        ends(server)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait(60)


def test_monitoring_exports_without_any_right(
    store: Store, image: Callable[[str], Image], mlflow_server: str
) -> None:
    port = postgres.free_port()
    settings = {"FINPULSE_DATABASE_URL": store.url, "FINPULSE_MONITORING_PORT": str(port)}
    exporter = image("monitoring").start(settings | {"FINPULSE_MLFLOW_URL": mlflow_server})

    def exports() -> bool:
        assert exporter.poll() is None
        try:
            text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        except httpx.TransportError:
            return False
        return "finpulse_database_up 1.0" in text

    try:
        wait_for(exports, 300)
        ends(exporter)
    finally:
        if exporter.poll() is None:
            exporter.kill()
            exporter.wait(60)


def test_the_platform_loads_facts_and_makes_airflows_tables_without_any_right(
    store: Store, postgres_url: str, image: Callable[[str], Image], objects: Path
) -> None:
    objects.chmod(0o777)  # What the image's user writes to is a volume of its own.
    postgres.create_database(postgres_url, "airflow_of_the_image")
    database = postgres_url.rsplit("/", 1)[0] + "/airflow_of_the_image"
    airflow = database.replace("postgresql:", "postgresql+psycopg2:")
    settings = {"FINPULSE_DATABASE_URL": store.url, "SPARK_LOCAL_IP": "127.0.0.1"}
    settings |= {"FINPULSE_SIM_INSTRUMENTS": "2", "FINPULSE_SIM_SESSIONS": "60"}
    settings |= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow}
    # Empty, as in compose: it needs no second driver.
    settings |= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": ""}
    settings |= {"AIRFLOW__CORE__DAGS_FOLDER": "/finpulse/dags"}
    span = ["--universe", "test", "--first", "2025-06-02", "--last", "2025-06-30"]
    for words in (
        ["python", "-m", "contracts", "migrate"],
        ["python", "-m", "etl", "load", "--spark", *span],
        ["airflow", "db", "migrate"],
        ["python", "-c", "import torch, keras, mlflow"],
        ["python", "-c", ON_RAY],
    ):
        assert image("platform").start(settings, *words).wait(900) == 0
    assert store.query("SELECT FROM bars").num_rows > 0
    made = Store(database).query("SELECT to_regclass('dag_run') IS NOT NULL AS made")
    assert made["made"].to_pylist() == [True]
