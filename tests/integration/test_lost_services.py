"""A stack whose facts and models lie on servers elsewhere, and kills of what it runs on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import ports
import postgres
import psutil
import pytest
from airflow_client import FINISHED, Airflow
from processes import marked, tree
from stack import Stack, StackError, asked_settings
from supervise import Supervisor

from contracts.settings import settings
from contracts.store import Store
from contracts.tables import TABLES
from etl.batch.staging import ORDER

pytestmark = [
    pytest.mark.integration,
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
]

ROOT = Path(__file__).resolve().parents[2]
UNIVERSE, FIRST, LAST = "sim20", "2024-09-03", "2025-06-30"
MARKET = {"FINPULSE_SIM_INSTRUMENTS": "4", "FINPULSE_SIM_SESSIONS": "210"}
# What is derived from facts, without when and at which snapshot.
DERIVED = {
    "sentiments": "text_hash, model_version, p_negative, p_neutral, p_positive",
    "materialisations": "view_hash, universe, session, rows",
    "rejected": "row_hash",
}
MINUTE = 60.0
LATER = datetime(2030, 1, 1, tzinfo=UTC)
web = httpx.Client(trust_env=False, timeout=30)


@dataclass
class Server:
    """A Postgres that nobody restarts but its operator: this test."""

    folder: Path
    password: str = field(default_factory=postgres.new_password)
    port: int = field(default_factory=postgres.free_port)

    def start(self) -> None:
        """Start it and wait for its answer."""
        postgres.initialise(self.folder, self.password)
        command = postgres.command(self.folder, "127.0.0.1", self.port)
        # A killed server's children take a moment to leave its shared memory.
        for _ in range(20):
            self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/")
            try:
                return postgres.wait(self.url("postgres"), 5)
            except postgres.PostgresError:
                self.process.kill()
                self.process.wait()
        raise AssertionError("the server does not start")

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return postgres.url("127.0.0.1", self.port, self.password, database)


@dataclass(frozen=True)
class Place:
    """A running stack, the server that has its facts, and its environment."""

    stack: Stack
    server: Server
    environment: dict[str, str]

    @property
    def supervisor(self) -> Supervisor:
        """The stack's supervisor."""
        return Supervisor(self.stack.home)


def run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server for the facts, with two empty databases."""
    made = Server(tmp_path_factory.mktemp("elsewhere") / "data")
    made.start()
    for name in ("facts", "clean"):
        postgres.create_database(made.url("postgres"), name)
    yield made
    made.process.send_signal(signal.SIGINT)
    made.process.wait(postgres.STOP_SECONDS)


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, server: Server, mlflow_server: str
) -> Iterator[Place]:
    """A stack that was told where facts and models are."""
    home = tmp_path_factory.mktemp("stack") / "home"
    free = {f"FINPULSE_{name.upper()}": str(postgres.free_port()) for name in ports.NAMES}
    named = {"FINPULSE_DATABASE_URL": server.url("facts"), "FINPULSE_MLFLOW_URL": mlflow_server}
    ours = MARKET | free | named | {"FINPULSE_HOME": str(home)}
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("FINPULSE_", "AIRFLOW"))}
    try:
        run(outside | ours, "infra/local/up.py")
        with pytest.MonkeyPatch.context() as patch:
            for key, value in ours.items():
                patch.setenv(key, value)
            settings.cache_clear()
            stack = Stack.of(asked_settings())
        settings.cache_clear()
        yield Place(stack, server, outside | ours)
    finally:
        run(outside | ours, "infra/local/down.py")
    assert marked(home) == []


@pytest.fixture(scope="module")
def clean_run(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """What one run that nobody disturbs leaves behind."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith("FINPULSE_")}
    home = {"FINPULSE_HOME": str(tmp_path_factory.mktemp("home"))}
    own = outside | MARKET | home | {"FINPULSE_DATABASE_URL": server.url("clean")}
    span = ("--universe", UNIVERSE, "--first", FIRST, "--last", LAST)
    run(own, "-m", "contracts", "migrate")
    run(own, "-m", "etl", "load", "--in-process", *span)
    snapshot = ("--snapshot", str(Store(server.url("clean")).snapshot()))
    run(own, "-m", "training", "score-text", "--universe", UNIVERSE, "--session", LAST, *snapshot)
    run(own, "-m", "features", "materialise", "--view", "daily_3", *span, *snapshot)
    return Store(server.url("clean"))


def left(store: Store) -> dict[str, list[Any]]:
    """All versions of all facts, and what was derived, without when and by which load."""
    found = {
        name: store.versions(TABLES[name], LATER, 1 << 40, columns=TABLES[name].names).to_pylist()
        for name in ORDER
    }
    for table, columns in DERIVED.items():
        distinct = f"SELECT DISTINCT {columns} FROM {table} ORDER BY {columns}"
        found[table] = store.query(distinct).to_pylist()
    return found


def until(airflow: Airflow, run_id: str, task: str) -> None:
    """Return when the task runs; a service that is away is waited for."""
    deadline = time.monotonic() + 600
    while True:
        try:
            states = {t.row["task_id"]: t.state for t in airflow.tasks("backfill_market", run_id)}
            if states.get(task) in ("running", "success"):
                return
        except (httpx.HTTPError, StackError, KeyError):
            pass
        assert time.monotonic() < deadline, f"{task} did not start"
        time.sleep(0.2)


def finish(airflow: Airflow, run_id: str) -> list[str]:
    """Run it, and again as a person would whenever it failed; returns what was said."""
    said, conf = [], {"source": "simulated", "universe": UNIVERSE, "first": FIRST, "last": LAST}
    for _ in range(100):
        try:
            airflow.run("backfill_market", run_id, conf)
            return said
        except (StackError, httpx.HTTPError, ValueError) as error:
            said.append(str(error))
            time.sleep(3)
    raise AssertionError(said[-1])


def end_of(airflow: Airflow, run_id: str) -> str:
    """The state in which the run ended; a service that is away is waited for."""
    path, deadline = f"dags/backfill_market/dagRuns/{run_id}", time.monotonic() + 900
    while True:
        with suppress(httpx.HTTPError, StackError, KeyError):
            if (state := airflow.ask("GET", path).json()["state"]) in FINISHED:
                return str(state)
        assert time.monotonic() < deadline, f"{run_id} did not end"
        time.sleep(1)


def tries(airflow: Airflow, run_id: str) -> dict[str, list[str]]:
    """The state of each try of each task of a run."""
    found = {}
    for task in airflow.tasks("backfill_market", run_id):
        mapped = f"/{task.row['map_index']}" if task.row["map_index"] >= 0 else ""
        path = f"dags/backfill_market/dagRuns/{run_id}/taskInstances/{task.row['task_id']}{mapped}"
        listed = airflow.ask("GET", f"{path}/tries").json()["task_instances"]
        found[task.name] = [each["state"] for each in listed]
    return found


@contextmanager
def away(place: Place, name: str) -> Iterator[None]:
    """A program of the stack is stopped by its supervisor, Postgres by SIGSTOP, and comes back."""
    if name != "postgres":
        place.supervisor._stop([name])
        yield
        return place.supervisor.start(name)
    processes = tree(place.supervisor.info(name)["pid"]).values()
    for process in processes:
        process.suspend()
    yield
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.resume()


def test_the_stack_works_on_servers_elsewhere(place: Place, mlflow_server: str) -> None:
    names = {info["name"] for info in place.supervisor._rpc.getAllProcessInfo()}
    assert "mlflow" not in names and "airflow-scheduler" in names
    assert place.stack.settings.mlflow == mlflow_server
    own = Store(place.stack.database("postgres"))
    listed = own.query("SELECT datname FROM pg_database")["datname"].to_pylist()
    assert "airflow" in listed and not [name for name in listed if name.startswith("finpulse")]
    assert Store(place.server.url("facts")).snapshot() == 0


def test_after_kills_of_every_kind_the_tables_are_those_of_a_clean_run(
    place: Place, clean_run: Store
) -> None:
    airflow, watching = (Airflow(place.stack.settings, print) for _ in range(2))
    with ThreadPoolExecutor(1) as pool:
        finished = pool.submit(finish, airflow, "killed")
        until(watching, "killed", "load.clean")
        os.kill(place.supervisor.info("airflow-scheduler")["pid"], signal.SIGKILL)
        until(watching, "killed", "load.gate")
        os.kill(place.supervisor.info("postgres")["pid"], signal.SIGKILL)
        until(watching, "killed", "load.append")
        place.server.process.kill()
        place.server.process.wait()
        place.server.start()
        until(watching, "killed", "score_text")
        place.server.process.kill()
        place.server.process.wait()
        place.server.start()
        finished.result()
    facts = Store(place.server.url("facts"))
    expected = left(clean_run)
    assert all(expected[name] for name in (*ORDER, "sentiments", "materialisations"))
    assert left(facts) == expected
    # The services that answer from the lost servers have found them again.
    metrics = web.get(f"{place.stack.monitoring}/metrics").text
    assert "finpulse_database_up 1.0" in metrics
    before = facts.snapshot()
    assert finish(airflow, "killed") == [] and facts.snapshot() == before


@pytest.mark.parametrize("name", ["airflow-api-server", "airflow-scheduler", "postgres"])
def test_a_service_away_for_a_minute_ends_no_run_red(place: Place, name: str) -> None:
    airflow, run_id = Airflow(place.stack.settings, print), f"without-{name}"
    airflow.wait_for("backfill_market")
    span = {"source": "simulated", "universe": UNIVERSE, "first": FIRST, "last": LAST}
    body = {"dag_run_id": run_id, "logical_date": None, "conf": span}
    airflow.ask("POST", "dags/backfill_market/dagRuns", json=body)
    until(airflow, run_id, "load.clean")
    with away(place, name):
        time.sleep(MINUTE)
    assert end_of(airflow, run_id) == "success"
    tried = tries(airflow, run_id)
    assert all("success" in states for states in tried.values()), tried
    # The scheduler's tasks end with it and are tried again; nothing else costs a task its work.
    if name != "airflow-scheduler":
        assert all(states == ["success"] for states in tried.values()), tried
