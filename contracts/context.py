"""Who is asking: the Airflow task and the commit that a stored row is traced back to."""

import os
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class RunContext:
    """The Airflow task of this process (empty when run by hand) and the code's commit."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @property
    def airflow_run(self) -> str:
        """`dag/run`, or `manual` outside Airflow."""
        return f"{self.dag_id}/{self.run_id}" if self.dag_id else "manual"

    @property
    def airflow_key(self) -> str:
        """`dag/run/task/map_index`: one MLflow run per key; empty outside Airflow."""
        if not self.dag_id:
            return ""
        return f"{self.dag_id}/{self.run_id}/{self.task_id}/{self.map_index}"


def run_context() -> RunContext:
    """The context that a step of a DAG is given in its environment."""
    return RunContext(
        dag_id=os.environ.get("AIRFLOW_CTX_DAG_ID", ""),
        run_id=os.environ.get("AIRFLOW_CTX_DAG_RUN_ID", ""),
        task_id=os.environ.get("AIRFLOW_CTX_TASK_ID", ""),
        map_index=int(os.environ.get("AIRFLOW_CTX_MAP_INDEX", "-1")),
    )


@lru_cache(maxsize=1)
def git_commit() -> str:
    """The commit of the installed code, or `unknown` outside a checkout."""
    here = Path(__file__).resolve().parent
    command = ["git", "-c", "safe.directory=*", "rev-parse", "HEAD"]
    try:
        return subprocess.run(
            command, cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
