"""Runs in MLflow, one per key: a retry or a cleared task finds its run and never doubles it."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import typer

from contracts.context import run_context
from contracts.settings import settings
from contracts.store import Store
from training.run.endings import end_lost, experiment_of, tags, told_by_signals
from training.run.lock import locked
from training.run.mlflow_api import Mlflow, TrackingError


class Topic(Protocol):
    """What a run is about: a scope of a market's training, or a text model's life."""

    @property
    def universe(self) -> str:
        """Whose experiment its runs are in."""

    @property
    def name(self) -> str:
        """Names it in the keys of runs."""

    @property
    def title(self) -> str:
        """As people see it."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What each of its runs logs."""


@dataclass(frozen=True)
class _Under:
    # The tags of the lock that a run's process holds, and the run that it is shown below.
    held: Mapping[str, str]
    parent: str = ""


@dataclass(frozen=True)
class Run:
    """A run that is open for logging."""

    server: Mlflow
    store: Store
    topic: Topic
    key: str
    id: str
    experiment_id: str
    artifact_uri: str
    logged: Mapping[str, str]
    held: Mapping[str, str]

    @property
    def url(self) -> str:
        """The run's page."""
        return f"{self.server.url}/#/experiments/{self.experiment_id}/runs/{self.id}"

    def log(
        self,
        parameters: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        step: int = 0,
    ) -> None:
        """Log parameters and metrics; the same parameters again are no change.

        MLflow never lets a parameter change. A task that is repeated with another value, after a
        correction of the code say, leaves it in the tag `repeated.<name>`.
        """
        now, values = _now(), {k: str(v) for k, v in (parameters or {}).items()}
        changed = {k: v for k, v in values.items() if self.logged.get(k, v) != v}
        self.tag({f"repeated.{k}": v for k, v in changed.items()})
        self.server.call(
            "POST",
            "mlflow/runs/log-batch",
            run_id=self.id,
            params=[{"key": k, "value": v} for k, v in values.items() if k not in changed],
            metrics=[
                {"key": k, "value": v, "timestamp": now, "step": step}
                for k, v in (metrics or {}).items()
            ],
        )

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags: what came of the run, and what may change when it is repeated."""
        if tags:
            listed = [{"key": k, "value": v} for k, v in tags.items()]
            self.server.call("POST", "mlflow/runs/log-batch", run_id=self.id, tags=listed)

    def attach(self, name: str, fields: Mapping[str, Any]) -> None:
        """Store JSON as a file of the run."""
        self.attach_file(name, orjson.dumps(fields, option=orjson.OPT_INDENT_2))

    def attach_file(self, name: str, content: bytes) -> None:
        """Store a file of the run."""
        self.server.upload(self.artifact_uri, name, content)

    @contextmanager
    def child(self, name: str) -> Iterator["Run"]:
        """A run below this one, the same one for the same name."""
        under = _Under(self.held, self.id)
        made = _open(self.server, self.store, self.topic, f"{self.key}/{name}", name, under)
        with _closing(made):
            yield made


@contextmanager
def step(store: Store, topic: Topic, verb: str, detail: str = "") -> Iterator[Run]:
    """The run of this verb, below the one run that all steps of the DAG run share.

    Inside Airflow the key is the task instance's, where the task is this verb alone; where it is
    several, and outside, verb and scope are a part of it. Ends FINISHED, FAILED
    when the body raises, or KILLED when a signal tells the process to end; runs of processes that
    were killed are ended by the monitoring service, or else by the next step. Of two trainings of
    one universe the later waits at each step.
    """
    context, server = run_context(), Mlflow(settings().mlflow)
    alone, above = context.task_id == verb, context.airflow_run
    above = above if alone else f"{above}/{topic.name}"
    title = " ".join(part for part in (verb, detail) if part)
    own = "/".join(part for part in (above, verb, detail) if part)
    lock = f"training of {topic.universe}: {title}"
    with locked(store, lock), told_by_signals():
        where = experiment(server, store, experiment_of(topic.universe))
        for lost in end_lost(store, server, [where], lock):
            typer.echo(f"MLflow run {lost} of a process that was killed is ended", err=True)
        held = tags(store, lock)
        parent = _open(server, store, topic, above, topic.title, _Under(held))
        with _closing(parent):
            under = _Under(held, parent.id)
            key = context.airflow_key if alone else own
            run = _open(server, store, topic, key, title, under)
            typer.echo(f"MLflow run {run.id} {run.url}", err=True)
            with _closing(run):
                yield run


def _open(server: Mlflow, store: Store, topic: Topic, key: str, name: str, under: _Under) -> Run:
    with locked(store, f"mlflow run {key}") as lock:
        where = experiment(server, store, experiment_of(topic.universe))
        query = {"experiment_ids": [where], "filter": f"tags.airflow_key = '{key}'"}
        runs = server.call("POST", "mlflow/runs/search", max_results=1, **query).get("runs")
        lock.require()
        found = runs[0] if runs else _create(server, where, key, name, under)
    info, data = found["info"], found.get("data", {})
    logged = {p["key"]: p["value"] for p in data.get("params", [])}
    place = (info["run_id"], where, info["artifact_uri"])
    run = Run(server, store, topic, key, *place, logged, under.held)
    run.tag(under.held)
    _status(run, "RUNNING")
    run.log(topic.parameters)
    return run


def _create(server: Mlflow, where: str, key: str, name: str, under: _Under) -> dict[str, Any]:
    told = {"airflow_key": key, "airflow_run": run_context().airflow_run, **under.held}
    if under.parent:
        told["mlflow.parentRunId"] = under.parent
    answer = server.call(
        "POST",
        "mlflow/runs/create",
        experiment_id=where,
        run_name=name,
        start_time=_now(),
        tags=[{"key": k, "value": v} for k, v in told.items()],
    )
    return dict(answer["run"])


def experiment(server: Mlflow, store: Store, name: str) -> str:
    """The id of the experiment of that name, made or taken out of MLflow's bin if need be."""
    path = "mlflow/experiments/get-by-name"
    with locked(store, f"mlflow experiment {name}") as lock:
        answer = server.found("GET", path, experiment_name=name)
        lock.require()
        if answer is None:
            return str(server.call("POST", "mlflow/experiments/create", name=name)["experiment_id"])
        number = str(answer["experiment"]["experiment_id"])
        if answer["experiment"].get("lifecycle_stage") == "deleted":
            server.call("POST", "mlflow/experiments/restore", experiment_id=number)
    return number


@contextmanager
def _closing(run: Run) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        told = isinstance(error, SystemExit | KeyboardInterrupt)
        # What happened matters more than a server that does not answer.
        with suppress(TrackingError):
            _status(run, "KILLED" if told else "FAILED", end_time=_now())
        raise
    _status(run, "FINISHED", end_time=_now())


def _status(run: Run, status: str, **fields: int) -> None:
    run.server.call("POST", "mlflow/runs/update", run_id=run.id, status=status, **fields)


def _now() -> int:
    return int(time.time() * 1000)
