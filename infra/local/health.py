"""Whether each service does its work, asked as its users would ask."""

from collections.abc import Callable

import httpx
import postgres
from patience import Patience
from stack import Stack

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


def wait_postgres(stack: Stack, patience: Patience) -> None:
    """Return when the embedded server answers; raises StackError with its log."""

    def answers() -> bool:
        try:
            postgres.wait(stack.database("postgres"), 1)
        except postgres.PostgresError as error:
            raise ValueError(str(error)) from error
        return True

    patience.until("postgres", answers)


def wait(stack: Stack, patience: Patience, name: str) -> None:
    """Return when the program is healthy; raises StackError with the end of its log."""
    patience.until(name, probes(stack)[name])
