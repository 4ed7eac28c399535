"""The programs of the stack: command, environment and how each is stopped."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import java
import postgres
from processes import MARK
from stack import MONITOR, ROOT, Stack

from contracts.database.connection import OTHERS, address

PYTHON = sys.executable
API_KEYS = "FINPULSE_API_KEYS"
# Text models and checkpoints that no hub is asked for.
AT_HAND = {"champion", "minilm", "vader"}

# Airflow's API server may be away for a minute while tasks work: they ask again 24 times, after
# waits drawn between 1 and 10 s, two minutes in all, and are not taken for lost before that, nor
# is the scheduler that waits for a database. Tasks of a killed scheduler are found by the next one
# after as long, not after five minutes.
PATIENCE = {
    "WORKERS__EXECUTION_API_RETRIES": 25,
    "WORKERS__EXECUTION_API_RETRY_WAIT_MAX": 10,
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 30,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 120,
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 120,
}


@dataclass(frozen=True)
class Program:
    """One supervised process."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"


def outside() -> dict[str, str]:
    """The caller's environment without settings: those reach our processes from the stack only."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("FINPULSE_", "AIRFLOW_"))}


def base_environment(stack: Stack) -> dict[str, str]:
    """What every program gets: the mark, the venv's programs first, and no proxy for loopback."""
    binaries = Path(PYTHON).parent
    local = f"127.0.0.1,localhost,{stack.host}"
    return {
        MARK: str(stack.home),
        # Airflow and gunicorn set their titles; the mark must stay readable in /proc.
        "SPT_NOENV": "1",
        "PATH": f"{binaries}:{os.environ.get('PATH', os.defpath)}",
        "NO_PROXY": local,
        "no_proxy": local,
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def task_environment(stack: Stack) -> dict[str, str]:
    """What our own packages get, in services and in tasks; the keys of callers are not for them."""
    ours = {k: v for k, v in stack.variables().items() if k != API_KEYS}
    from_afar = {stack.asked.text_model, stack.asked.text_checkpoint} - AT_HAND
    offline = "0" if from_afar else "1"
    home = java.java_home(stack.home / "java")
    return {
        **base_environment(stack),
        **ours,
        "JAVA_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": PYTHON,
        "PYSPARK_DRIVER_PYTHON": PYTHON,
        "GX_ANALYTICS_ENABLED": "false",
        "RAY_USAGE_STATS_ENABLED": "0",
        "HF_HUB_OFFLINE": offline,
        "KERAS_BACKEND": "torch",
        "MLFLOW_TRACKING_URI": stack.settings.mlflow,
    }


def airflow_environment(stack: Stack) -> dict[str, str]:
    """Airflow's configuration, and what its tasks get."""
    home, asked, secret = stack.home / "airflow", stack.asked, stack.credentials
    url = stack.settings.airflow
    options = {
        "CORE__DAGS_FOLDER": ROOT / "dags",
        "CORE__PLUGINS_FOLDER": ROOT / "infra" / "airflow" / "plugins",
        "CORE__LOAD_EXAMPLES": False,
        # Else a file is passed over that does not have Airflow's name in it.
        "CORE__DAG_DISCOVERY_SAFE_MODE": False,
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": False,
        "CORE__EXECUTOR": "LocalExecutor",
        # A run keeps two cores busy; the third is for who waits for a choice in MLflow.
        "CORE__PARALLELISM": 3,
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": 2,
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__FERNET_KEY": secret.fernet_key,
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": False,
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{asked.airflow_user}:admin,{MONITOR}:op",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": home / "passwords.json",
        "DATABASE__SQL_ALCHEMY_CONN": _database(stack, "airflow"),
        # No route that we use is asynchronous; empty, it needs no second driver.
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": "",
        "API__HOST": asked.host,
        "API__PORT": asked.airflow_port,
        "API__BASE_URL": url,
        "API__WORKERS": 1,
        "API__SECRET_KEY": secret.session_secret,
        "API_AUTH__JWT_SECRET": secret.jwt_secret,
        **PATIENCE,
        "DAG_PROCESSOR__REFRESH_INTERVAL": 15,
        "DAG_PROCESSOR__PARSING_PROCESSES": 1,
        "LOGGING__BASE_LOG_FOLDER": home / "logs",
        "USAGE_DATA_COLLECTION__ENABLED": False,
    }
    named = {f"AIRFLOW__{key}": str(value) for key, value in options.items()}
    return {**task_environment(stack), "AIRFLOW_HOME": str(home), **named}


def _database(stack: Stack, name: str) -> str:
    return address(stack.database(name), OTHERS, driver="psycopg2")


def mlflow_program(stack: Stack) -> Program:
    """The MLflow server on Postgres, without its job runner."""
    asked = stack.asked
    command = [PYTHON, "-m", "mlflow", "server", "--workers", "1", "--serve-artifacts"]
    command += ["--host", asked.host, "--port", str(asked.mlflow_port)]
    command += ["--artifacts-destination", str(stack.home / "mlflow")]
    # The password goes by the environment: arguments are seen by every user.
    environment = {
        "MLFLOW_BACKEND_STORE_URI": _database(stack, "mlflow"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    return Program("mlflow", tuple(command), base_environment(stack) | environment)


def programs(stack: Stack) -> list[Program]:
    """All programs; services that the user has elsewhere are left out."""
    asked = stack.asked
    data = stack.home / "postgres"
    server = tuple(postgres.command(data, asked.host, asked.postgres_port))
    found = [Program("postgres", server, base_environment(stack), stop_signal="INT")]
    if not asked.mlflow_url:
        found.append(mlflow_program(stack))
    if not asked.airflow_url:
        airflow = airflow_environment(stack)
        # Tasks run below the scheduler: the others have nothing to do with the facts. Its server of
        # logs would listen on all addresses, and the page reads the files.
        bare = {k: v for k, v in airflow.items() if k != "FINPULSE_DATABASE_URL"}
        found += [
            Program(f"airflow-{verb}", (PYTHON, "-m", "airflow", verb, *options), given)
            for verb, options, given in (
                ("api-server", (), bare),
                ("scheduler", ("--skip-serve-logs",), airflow),
                ("dag-processor", (), bare),
            )
        ]
    ours = task_environment(stack)
    reads = ours | {"FINPULSE_DATABASE_URL": stack.facts_as("reader")}
    reads |= {API_KEYS: stack.variables()[API_KEYS]}
    found.append(Program("predictor", (PYTHON, "-m", "serving", "run"), reads))
    watching = ours | airflow_login(stack)
    found.append(Program("monitoring", (PYTHON, "-m", "monitoring", "export"), watching))
    return found


def airflow_login(stack: Stack) -> dict[str, str]:
    """What the monitoring service tells Airflow with; an Airflow elsewhere has the user's login."""
    user, password = MONITOR, stack.credentials.monitor
    if stack.asked.airflow_url:
        user = stack.asked.airflow_user
        password = stack.asked.airflow_password.get_secret_value()
    return {"FINPULSE_AIRFLOW_USER": user, "FINPULSE_AIRFLOW_PASSWORD": password}
