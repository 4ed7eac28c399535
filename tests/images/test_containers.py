"""The images as they ship: built by buildah, run without rights on a root that is for reading."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import postgres
import pytest
from environments import DOCKERFILE, ROOT
from market import FLAT, Market
from predictor import wait_for

from contracts.store import Store

TOOLS = ("buildah", "mmdebstrap", "unshare", "setpriv")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, TOOLS)),
        reason="images are built by root with the Debian packages buildah and mmdebstrap",
    ),
]

BASE = "localhost/base:latest"
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
# What a cluster gives a pod to end in (helm/predictor/values.yaml), less its preStop's pause.
GRACE = 25
# Where this machine's registries are known from, for the time of the build.
LENT = ("/etc/ssl/certs", str(Path.home() / ".cache" / "uv"))
CERTIFICATES = "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"
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
class Buildah:
    """buildah with a store of its own."""

    folder: Path

    def __call__(self, *words: str) -> str:
        command = ["buildah", "--storage-driver", "vfs"]
        command += ["--root", str(self.folder / "root"), "--runroot", str(self.folder / "run")]
        done = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout.strip()

    def base(self) -> None:
        """An image of Debian's Python, in the place of the one that the Dockerfile pins."""
        archive = self.folder / "base.tar"
        made = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm"]
        subprocess.run([*made, str(archive)], check=True, capture_output=True)
        name = self("from", "scratch")
        self("add", "--quiet", name, str(archive), "/")
        script = "ln -sf python3 /usr/bin/python; rm -f /usr/lib/python3.11/EXTERNALLY-MANAGED"
        self("run", "--isolation=chroot", name, "--", "sh", "-c", script)
        self("config", "--env", CERTIFICATES, name)
        self("commit", "--quiet", "--rm", name, BASE)

    def image(self, target: str) -> Path:
        """The root folder of a container of the target, built from the Dockerfile."""
        # PyTorch's own index is asked, unless this machine has the wheel, as `make setup` does.
        wheels = os.environ.get("PIP_FIND_LINKS", "")
        has_torch = bool(wheels) and any(Path(wheels).glob("torch-*.whl"))
        from_here = [f"--build-arg=TORCH_FROM=--find-links={wheels}"] if has_torch else []
        places = [*LENT, wheels] if has_torch else LENT
        lent = [f"--volume={place}:{place}" for place in places if Path(place).exists()]
        words = ["--isolation=chroot", "--pull-never", "--network=host", *lent, *from_here]
        words.append(f"--build-arg=BASE={BASE}")
        self("build", *words, "-f", str(DOCKERFILE), "--target", target, "-t", target, ".")
        return Path(self("mount", self("from", target)))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """The root folder of an image."""
    buildah = Buildah(tmp_path_factory.mktemp("images"))
    buildah.base()
    yield buildah.image
    buildah("umount", "--all")
    buildah("rm", "--all")
    shutil.rmtree(buildah.folder, ignore_errors=True)


def hardened(
    root: Path, objects: Path, words: list[str], environment: dict[str, str]
) -> "subprocess.Popen[bytes]":
    command = ["unshare", "--mount", "sh", "-c", HARDENED, "sh"]
    fixed = {
        "PATH": "/opt/finpulse/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "NUMBA_CACHE_DIR": "/tmp/numba",
    }
    fixed |= {"FINPULSE_HOME": "/tmp/finpulse", "FINPULSE_OBJECTS_URL": "/tmp/objects"}
    return subprocess.Popen([*command, str(root), str(objects), *words], env=fixed | environment)


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An object store that all may read, also by way of pytest's closed folders."""
    made = tmp_path / "objects"
    made.mkdir(mode=0o755)
    monkeypatch.setenv("FINPULSE_OBJECTS_URL", str(made))
    return made


def test_the_predictor_serves_without_any_right(
    store: Store, root: Callable[[str], Path], objects: Path
) -> None:
    market, port = Market(), postgres.free_port()
    market.crown(store, FLAT, 1)
    # The port is what a platform for containers says.
    settings = {"FINPULSE_DATABASE_URL": store.url, "PORT": str(port)}
    place = root("predictor")
    server = hardened(place, objects, ["python", "-m", "serving", "run"], settings)
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
        server.terminate()
        assert server.wait(GRACE) in (0, -signal.SIGTERM)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait(60)
    probe = "import os; print(os.getuid()); open('/opt/finpulse/x', 'w')"
    refused = hardened(place, objects, ["python", "-c", probe], settings)
    assert refused.wait(60) == 1, "its root is for reading alone"


def test_the_platform_loads_facts_and_makes_airflows_tables_without_any_right(
    store: Store, postgres_url: str, root: Callable[[str], Path], objects: Path
) -> None:
    objects.chmod(0o777)  # What the image's user writes to is a volume of its own.
    postgres.create_database(postgres_url, "airflow_of_the_image")
    database = postgres_url.rsplit("/", 1)[0] + "/airflow_of_the_image"
    place, airflow = root("platform"), database.replace("postgresql:", "postgresql+psycopg2:")
    settings = {"FINPULSE_DATABASE_URL": store.url, "SPARK_LOCAL_IP": "127.0.0.1"}
    settings |= {"FINPULSE_SIM_INSTRUMENTS": "2", "FINPULSE_SIM_SESSIONS": "60"}
    settings |= {"PYSPARK_PYTHON": "/opt/finpulse/bin/python", "AIRFLOW_HOME": "/tmp/airflow"}
    settings |= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow}
    # Empty, as in compose: it needs no second driver.
    settings |= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": ""}
    settings |= {"AIRFLOW__CORE__DAGS_FOLDER": "/finpulse/dags"}
    span = ["--universe", "test", "--first", "2025-06-02", "--last", "2025-06-30"]
    for words in (
        ["python", "-m", "contracts", "migrate"],
        ["python", "-m", "etl", "load", "--spark", *span],
        ["airflow", "db", "migrate"],
        ["python", "-c", "import torch, keras, ray, mlflow"],
    ):
        assert hardened(place, objects, words, settings | {"KERAS_BACKEND": "torch"}).wait(900) == 0
    assert store.query("SELECT FROM bars").num_rows > 0
    made = Store(database).query("SELECT to_regclass('dag_run') IS NOT NULL AS made")
    assert made["made"].to_pylist() == [True]


def test_monitoring_exports_without_any_right(
    store: Store, root: Callable[[str], Path], objects: Path, mlflow_server: str
) -> None:
    port = postgres.free_port()
    settings = {"FINPULSE_DATABASE_URL": store.url, "FINPULSE_MONITORING_PORT": str(port)}
    settings |= {"FINPULSE_MLFLOW_URL": mlflow_server}
    words = ["python", "-m", "monitoring", "export"]
    exporter = hardened(root("monitoring"), objects, words, settings)

    def exports() -> bool:
        assert exporter.poll() is None
        try:
            text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        except httpx.TransportError:
            return False
        return "finpulse_database_up 1.0" in text

    try:
        wait_for(exports, 300)
        exporter.terminate()
        assert exporter.wait(GRACE) in (0, -signal.SIGTERM)
    finally:
        if exporter.poll() is None:
            exporter.kill()
            exporter.wait(60)
