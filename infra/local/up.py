"""Start the laptop stack and wait until every service is healthy; safe to repeat."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version

import health
import ports
import postgres
from airflow_client import Airflow
from patience import Patience
from plainly import plainly
from processes import marked, tree
from programs import (
    PYTHON,
    airflow_environment,
    outside,
    programs,
    task_environment,
)
from stack import MONITOR, ROOT, Stack, StackError, asked_settings, write_private
from supervise import RUNNING, Supervisor
from turns import turn

from contracts.database.connection import connect
from training.run.scratch import sweep

say = partial(print, flush=True)

AIRFLOW = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor")


@dataclass
class Start:
    """One run of `up`: what it starts, and since when."""

    stack: Stack
    say: Callable[[str], None] = print
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.stack.home)
        self.programs = {p.name: p for p in programs(self.stack)}
        self.patience = Patience(self.supervisor, self.say)

    def tell(self, name: str, what: str) -> None:
        """A line of progress with the seconds since the start."""
        self.say(f"  {name:<22} {what:<9} {time.monotonic() - self.began:5.1f} s")

    def run(self) -> float:
        """Start what does not run; returns the seconds until all was healthy.

        Of two at once the later waits for the earlier.
        """
        with turn(self.stack.home, "up", self.say):
            return self._run()

    def _run(self) -> float:
        self._check_ports()
        for folder in ("airflow", "mlflow", "objects", "logs"):
            (self.stack.home / folder).mkdir(parents=True, exist_ok=True)
        postgres.initialise(self.stack.home / "postgres", self.stack.credentials.database)
        self._write_passwords()
        self.stack.write_stack_env()
        sweep(self.stack.home)
        self.supervisor.apply(self.stack, list(self.programs.values()))
        self._start_postgres()
        with ThreadPoolExecutor(3) as pool:
            chains = [pool.submit(c) for c in (self._mlflow, self._airflow, self._ours)]
            try:
                for chain in chains:
                    chain.result()
            except BaseException:
                # What failed, or a signal, is told at once: the others need not wait any more.
                self.patience.over.set()
                raise
        return time.monotonic() - self.began

    def _check_ports(self) -> None:
        process = self.supervisor.process
        ours = set(tree(process.pid)) if process else set()
        ports.check(self.stack.asked, ours | {p.pid for p in marked(self.stack.home)})

    def _write_passwords(self) -> None:
        settings = self.stack.settings
        logins = {settings.airflow_user: settings.airflow_password.get_secret_value()}
        logins[MONITOR] = self.stack.credentials.monitor
        write_private(self.stack.home / "airflow" / "passwords.json", json.dumps(logins))

    def _start_postgres(self) -> None:
        self.supervisor.start("postgres")
        health.wait_postgres(self.stack, self.patience)
        wanted = ["mlflow", "airflow"]
        if not self.stack.asked.database_url.get_secret_value():
            wanted.append(self.stack.facts.rsplit("/", 1)[1])
        for name in wanted:
            postgres.create_database(self.stack.database("postgres"), name)
        self.tell("postgres", "healthy")

    def _start(self, *names: str) -> None:
        wanted = [n for n in names if n in self.programs]
        for name in wanted:
            self.supervisor.start(name)
        for name in wanted:
            health.wait(self.stack, self.patience, name)
            self.tell(name, "healthy")

    def _mlflow(self) -> None:
        self._start("mlflow")

    def _airflow(self) -> None:
        if AIRFLOW[0] not in self.programs:
            return
        marker = self.stack.home / "airflow" / "migrated"
        current = version("apache-airflow")
        known = marker.exists() and marker.read_text() == current
        if not known or not self._has_table("airflow", "alembic_version"):
            self._migrate(("airflow", "db", "migrate"), airflow_environment(self.stack))
            marker.write_text(current)
            self.tell("airflow tables", "migrated")
        self._start(*AIRFLOW)
        # What `finetune_sentiment` runs in: one at a time, whatever this machine multiplies on.
        Airflow(self.stack.settings, self.say, self.patience).pool("gpu", 1)

    def _has_table(self, database: str, table: str) -> bool:
        connection = connect(self.stack.database(database))
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
                row = cursor.fetchone()
                return bool(row and row[0])
        finally:
            connection.close()

    def _ours(self) -> None:
        owner = {"FINPULSE_DATABASE_URL": self.stack.facts}
        self._migrate(("contracts", "migrate"), task_environment(self.stack) | owner)
        if not self.stack.asked.database_url.get_secret_value():
            for role in ("writer", "reader"):
                password = getattr(self.stack.credentials, role)
                postgres.create_login(self.stack.facts, role, password, f"finpulse_{role}")
        self.tell("tables of facts", "migrated")
        self._start("predictor", "monitoring")

    def _migrate(self, verb: tuple[str, ...], environment: Mapping[str, str]) -> None:
        command = [PYTHON, "-m", *verb]
        done = subprocess.run(
            command, cwd=ROOT, env={**outside(), **environment}, capture_output=True, text=True
        )
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
            raise StackError(f"`python -m {' '.join(verb)}` failed:\n{tail}")


def healthy(stack: Stack) -> bool:
    """Whether all programs of the stack run."""
    supervisor = Supervisor(stack.home)
    if not supervisor.process:
        return False
    return all(supervisor.info(p.name)["statename"] == RUNNING for p in programs(stack))


def main() -> int:
    """Start the stack; returns the exit status."""
    asked = asked_settings()
    say(f"starting the stack in {asked.home}")
    seconds = Start(Stack.of(asked), say).run()
    print(f"all services are healthy after {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    goes_on = "what was started goes on: `make up` waits for it, `make down` stops it"
    sys.exit(plainly(main, goes_on))
