"""Services started as the compose file starts and mounts them, as far as this goes without it."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import postgres
import psycopg2
import pytest
import yaml

from contracts.store import Store

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "compose"
SERVICES = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
ROLES = ("owner", "writer", "reader", "airflow", "mlflow")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Postgres on which the image's first start has run `roles.sh`; role = password."""
    with postgres.running(tmp_path_factory.mktemp("compose"), durable=False) as url:
        user, password, host, port = re.findall(r"//(\w+):(\w+)@(.+):(\d+)/", url)[0]
        named = {f"{role.upper()}_PASSWORD": f"{role}0" for role in ROLES}
        reached = {"PGHOST": host, "PGPORT": port, "PGPASSWORD": password, "POSTGRES_USER": user}
        path = {"PATH": f"{postgres.BIN}:{os.environ['PATH']}"}
        command = ["sh", str(FOLDER / "roles.sh")]
        done = subprocess.run(
            command, env={**os.environ, **named, **reached, **path}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        yield f"{host}:{port}"


def url(server: str, role: str, database: str) -> str:
    return f"postgresql://{role}:{role}0@{server}/{database}"


def test_each_role_may_do_what_its_service_does_and_no_more(server: str) -> None:
    Store(url(server, "owner", "finpulse")).migrate()
    writer, reader = (url(server, role, "finpulse") for role in ("writer", "reader"))
    assert Store(reader).query("SELECT count(*) AS n FROM bars")["n"].to_pylist() == [0]
    assert Store(writer).snapshot() == 0
    for address, statement in (
        (reader, "INSERT INTO bars SELECT * FROM bars"),
        (writer, "DROP TABLE bars"),
        (writer, "UPDATE bars SET close = 1"),
        (writer, "CREATE ROLE mine"),
        (url(server, "owner", "finpulse"), "CREATE ROLE mine"),
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            execute(address, statement)
    for role, other in (("airflow", "finpulse"), ("mlflow", "airflow"), ("reader", "mlflow")):
        with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
            psycopg2.connect(url(server, role, other))


def execute(address: str, statement: str) -> None:
    connection = psycopg2.connect(address)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def unprivileged() -> list[str]:
    """A prefix under which root may read what others may not, but write only what is its own."""
    if os.geteuid() != 0:
        return []
    assert shutil.which("setpriv"), "install util-linux"
    nobody, keep = pwd.getpwnam("nobody"), "-all,+dac_read_search"
    user = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    sets = [f"--{kind}={keep}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    return ["setpriv", *user, *sets, "--securebits=+no_setuid_fixup", "--"]


def test_airflow_starts_with_its_passwords_mounted_for_reading(server: str, tmp_path: Path) -> None:
    """As an image's user without rights, the secret of another and with mode 0444."""
    service, port = SERVICES["airflow"], postgres.free_port()
    secret, scratch = tmp_path / "airflow_passwords", tmp_path / "tmp"
    secret.write_text('{"admin": "a-secret-password"}')
    secret.chmod(0o444)
    scratch.mkdir()
    if prefix := unprivileged():
        scratch.chmod(0o777)
    chosen = {
        key: re.sub(r"\$\{AIRFLOW_FERNET_KEY.*?\}", "", value)
        for key, value in service["environment"].items()
    }
    chosen = {key: re.sub(r"\$\{\w+.*?\}", "x" * 64, value) for key, value in chosen.items()}
    chosen |= {"AIRFLOW__API__PORT": str(port), "AIRFLOW__API__HOST": "127.0.0.1"}
    database = url(server, "airflow", "airflow").replace("postgresql:", "postgresql+psycopg2:")
    chosen |= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database}
    chosen |= {"AIRFLOW_HOME": "/tmp/airflow", "AIRFLOW__API__WORKERS": "1"}
    places = {"/run/secrets/": f"{tmp_path}/", "/tmp/": f"{scratch}/", "/logs": f"{scratch}/logs"}
    places |= {"/finpulse/": f"{ROOT}/"}

    def here(text: str) -> str:
        there = "|".join(map(re.escape, places))
        return re.sub(rf"(?<![\w/])({there})", lambda found: places[found[1]], text)

    chosen = {key: here(value) for key, value in chosen.items()}
    chosen |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    chosen |= {"HOME": str(scratch), "PYTHONDONTWRITEBYTECODE": "1", "SHLVL": "1"}
    command = [*prefix, *(here(word) for word in service["command"])]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=chosen, cwd=scratch, stdout=log, stderr=log, start_new_session=True
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/api/v2/monitor/health", process, tmp_path / "log")
        login = {"username": "admin", "password": "a-secret-password"}
        answer = httpx.post(f"{address}/auth/token", json=login, timeout=60)
        assert answer.status_code == 201 and answer.json()["access_token"], answer.text
        wrong = httpx.post(f"{address}/auth/token", json=login | {"password": "x"}, timeout=60)
        assert wrong.status_code == 401
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-4000:]
        try:
            if httpx.get(address, timeout=10).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-4000:])
