"""Airflow's REST API: trigger a run, or run it again, and follow it task by task."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from patience import Patience
from stack import StackError

from contracts.settings import Settings

FINISHED = ("success", "failed")
API_SERVER = "airflow-api-server"
_EXPECTED = (httpx.codes.NOT_FOUND, httpx.codes.CONFLICT)
_SECONDS_BETWEEN = 1.0
_REMIND = 30
_AT_WORK = ("running", "up_for_retry")
_SHOWN = 120  # characters of a task's line


class RunFailed(StackError):
    """A DAG run failed; the message holds the end of the failed task's log and its URL."""


@dataclass(frozen=True)
class Task:
    """A finished or unfinished task instance."""

    name: str
    state: str
    seconds: float
    ended: str
    row: Mapping[str, Any]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Task":
        """From a task instance of the API."""
        index = row["map_index"]
        name = row["task_id"] + (f"[{index}]" if index >= 0 else "")
        return cls(name, row["state"] or "", row["duration"] or 0, row["end_date"] or "", row)


class Airflow:
    """One Airflow, as its user sees it.

    patience: waits for the services while they live and work; without it the first call that gets
    no answer raises.
    """

    def __init__(
        self, settings: Settings, say: Callable[[str], None], patience: Patience | None = None
    ) -> None:
        self.settings = settings
        self.say = say
        self._patience = patience
        self._client = httpx.Client(trust_env=False, timeout=60)

    def _login(self) -> None:
        answer = self._client.post(
            f"{self.settings.airflow}/auth/token",
            json={
                "username": self.settings.airflow_user,
                "password": self.settings.airflow_password.get_secret_value(),
            },
        )
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer to one request, however long that takes; raises on any error but 404, 409."""
        url = f"{self.settings.airflow}/api/v2/{path}"

        def once() -> httpx.Response:
            answer = self._once(method, url, **request)
            if answer.is_server_error:
                answer.raise_for_status()
            return answer

        answer = self._patience.ask(API_SERVER, once) if self._patience else once()
        if answer.is_error and answer.status_code not in _EXPECTED:
            raise StackError(f"Airflow refused {method} {url}: {answer.text}")
        return answer

    def _once(self, method: str, url: str, **request: Any) -> httpx.Response:
        answer = self._client.request(method, url, **request)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._login()
            answer = self._client.request(method, url, **request)
        return answer

    def wait_for(self, dag: str, seconds: float = 120) -> None:
        """Return when the DAG is known and unpaused; raises StackError with import errors.

        seconds: how long it may be unknown, where no patience says whether somebody reads it.
        """
        deadline = time.monotonic() + seconds

        def known() -> bool:
            if not self.ask("PATCH", f"dags/{dag}", json={"is_paused": False}).is_error:
                return True
            errors = self.ask("GET", "importErrors").json()["import_errors"]
            if errors or (self._patience is None and time.monotonic() > deadline):
                traces = "\n".join(e["stack_trace"] for e in errors)
                raise StackError(f"Airflow does not know the DAG {dag}\n{traces}".strip())
            return False

        if self._patience:
            self._patience.until("airflow-dag-processor", known)
        while not self._patience and not known():
            time.sleep(1)

    def pool(self, name: str, slots: int) -> None:
        """Have a pool of that name; one that is there keeps its slots."""
        about = {"name": name, "slots": slots, "description": "steps that may need a GPU"}
        self.ask("POST", "pools", json=about)  # 409 where it is there.

    def tasks(self, dag: str, run: str) -> list[Task]:
        """The task instances of a run, those that ended first at the front."""
        answer = self.ask("GET", f"dags/{dag}/dagRuns/{run}/taskInstances", params={"limit": 1000})
        rows = [Task.of(row) for row in answer.json()["task_instances"]]
        return sorted(rows, key=lambda task: (not task.ended, task.ended))

    def run(self, dag: str, run: str, conf: Mapping[str, object]) -> list[Task]:
        """Trigger the run, or run it again at its snapshot, and follow it to its end.

        Returns its tasks; raises RunFailed.
        """
        return self.run_all({dag: (run, conf)})[dag]

    def run_all(
        self, runs: Mapping[str, tuple[str, Mapping[str, object]]]
    ) -> dict[str, list[Task]]:
        """As `run`, of a run each of several DAGs, with its parameters, that are side by side."""
        for dag, (run, conf) in runs.items():
            self.wait_for(dag)
            self._begin(dag, run, conf)
        began, found = datetime.now().astimezone().isoformat(), {}
        for dag, (run, _) in runs.items():
            if len(runs) > 1:
                self.say(f" {dag} {run}")
            found[dag] = self._follow(dag, run, began)
        return found

    def _begin(self, dag: str, run: str, conf: Mapping[str, object]) -> None:
        path = f"dags/{dag}/dagRuns"
        found = self.ask("GET", f"{path}/{run}")
        if found.status_code == httpx.codes.NOT_FOUND:
            body = {"dag_run_id": run, "logical_date": None, "conf": conf}
            # Asked again after a lost answer it is there already: 409.
            self.ask("POST", path, json=body)
        elif found.json()["state"] in FINISHED:
            self._clear(dag, run)
        else:
            self.say(f"  {run} is at work already: picked up")

    def _clear(self, dag: str, run: str) -> None:
        body = {"dry_run": False, "dag_run_id": run, "only_failed": False}
        body |= {"reset_dag_runs": True, "run_on_latest_version": True}
        url = f"{self.settings.airflow}/api/v2/dags/{dag}/clearTaskInstances"
        cleared = False
        while not cleared:
            try:
                answer = self._once("POST", url, json=body)
                if answer.is_client_error or not (answer.is_success or self._patience):
                    raise StackError(f"Airflow refused POST {url}: {answer.text}")
                cleared = answer.is_success
            except httpx.TransportError:
                if not self._patience:
                    raise
            # A lost answer may have been a yes: what runs already is not cleared a second time.
            if not cleared:
                time.sleep(_SECONDS_BETWEEN)
                state = self.ask("GET", f"dags/{dag}/dagRuns/{run}").json()["state"]
                cleared = state not in FINISHED

    def _follow(self, dag: str, run: str, began: str) -> list[Task]:
        told: set[str] = set()
        reminded = time.monotonic()
        while True:
            state = self.ask("GET", f"dags/{dag}/dagRuns/{run}").json()["state"]
            tasks = self.tasks(dag, run)
            for task in tasks:
                if task.ended >= began and task.state in FINISHED and task.name not in told:
                    told.add(task.name)
                    self.say(f"  {task.name:<22} {task.state:<9} {task.seconds:5.1f} s")
                    reminded = time.monotonic()
            if state == "success":
                return tasks
            if state == "failed":
                raise RunFailed(self._failure(dag, run, tasks))
            if time.monotonic() - reminded > _REMIND:
                self._remind(dag, run, [task for task in tasks if task.state in _AT_WORK])
                reminded = time.monotonic()
            time.sleep(_SECONDS_BETWEEN)

    def _remind(self, dag: str, run: str, working: list[Task]) -> None:
        """What is waited for, and what each of it said last."""
        if not working:
            self.say("  ... waiting for the scheduler")
        for task in working:
            said = next(iter(self._log(dag, run, task)[-1:]), "")
            state = "" if task.state == "running" else f" ({task.state.replace('_', ' ')})"
            self.say(f"  ... waiting for {task.name}{state}{': ' if said else ''}{said[:_SHOWN]}")

    def _log(self, dag: str, run: str, task: Task) -> list[str]:
        """The lines of the task's newest try; none where there is no log yet."""
        row = task.row
        path = f"dags/{dag}/dagRuns/{run}/taskInstances/{row['task_id']}/logs/{row['try_number']}"
        answer = self.ask("GET", path, params={"map_index": row["map_index"], "full_content": True})
        content = answer.json().get("content", []) if answer.is_success else []
        lines = [line["event"] if isinstance(line, dict) else str(line) for line in content]
        return [line for line in lines if line.strip()]

    def _failure(self, dag: str, run: str, tasks: list[Task]) -> str:
        failed = next((task for task in tasks if task.state == "failed"), None)
        if failed is None:
            return f"the run {run} of {dag} failed without a failed task"
        row, task, lines = failed.row, failed.row["task_id"], self._log(dag, run, failed)
        mapped = f"/mapped/{row['map_index']}" if row["map_index"] >= 0 else ""
        url = f"{self.settings.airflow}/dags/{dag}/runs/{run}/tasks/{task}{mapped}"
        tail = "\n".join(f"    {line}" for line in lines[-40:])
        return f"the task {failed.name} of {dag} failed; the end of its log:\n{tail}\n  see {url}"
