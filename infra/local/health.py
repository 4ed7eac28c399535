"""Whether each service does its work, asked as its users would ask."""

import time
from collections.abc import Callable

import httpx
import postgres
from stack import Stack, StackError
from supervise import Starts, Supervisor

SECONDS = 240

# Loopback is never asked through a proxy.
client = httpx.Client(trust_env=False, timeout=10)


def _airflow(stack: Stack, part: str) -> bool:
    answer = client.get(f"{stack.settings.airflow}/api/v2/monitor/health").json()
    return bool(answer[part]["status"] == "healthy")


def _answers(url: str) -> bool:
    return client.get(url).status_code == 200


def probes(stack: Stack) -> dict[str, Callable[[], bool]]:
    """For each program a question that is True when it is healthy; it may raise until then."""
    return {
        "mlflow": lambda: _answers(f"{stack.settings.mlflow}/health"),
        "airflow-api-server": lambda: _airflow(stack, "metadatabase"),
        "airflow-scheduler": lambda: _airflow(stack, "scheduler"),
        "airflow-dag-processor": lambda: _airflow(stack, "dag_processor"),
        "predictor": lambda: _answers(f"{stack.predictor}/health/live"),
        "monitoring": lambda: _answers(f"{stack.monitoring}/metrics"),
    }


def wait_postgres(stack: Stack, supervisor: Supervisor) -> None:
    """Return when the embedded server answers; raises StackError with its log."""
    starts = Starts(supervisor)
    deadline = time.monotonic() + SECONDS
    while True:
        starts.check("postgres")
        try:
            return postgres.wait(stack.database("postgres"), 1)
        except postgres.PostgresError as error:
            if time.monotonic() > deadline:
                raise StackError(f"{error}\n{supervisor.tail('postgres')}") from error


def wait(stack: Stack, supervisor: Supervisor, name: str) -> None:
    """Return when the program is healthy; raises StackError with the end of its log."""
    probe = probes(stack)[name]
    starts = Starts(supervisor)
    deadline = time.monotonic() + SECONDS
    while True:
        starts.check(name)
        try:
            if probe():
                return
            found = "it answers, but not that it is healthy"
        except (httpx.HTTPError, ValueError, KeyError) as error:
            found = str(error)
        if time.monotonic() > deadline:
            raise StackError(
                f"{name} is not healthy after {SECONDS} s ({found}); the end of its log "
                f"{supervisor.home}/logs/{name}.log:\n{supervisor.tail(name)}"
            )
        time.sleep(0.3)
