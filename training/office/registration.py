"""Bundles as versions of a registered model in MLflow, and the alias of the champion."""

import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from contracts.champion import ALIAS, Champion, Office, model_name
from contracts.store import Store
from training.bundle.bundle import Bundle
from training.office.package import Package, of_bundle, package
from training.run.endings import experiment_of
from training.run.lock import locked
from training.run.mlflow_api import Mlflow, TrackingError
from training.run.tracking import Run, experiment

AGREED_TAG = "finpulse.agreed_promotion"

_QUIET = {
    # A server that hangs is given up after three minutes; the client would take an hour.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


@dataclass(frozen=True)
class Version:
    """A version of a registered model in MLflow."""

    model: str
    number: int


def register(run: Run, bundle: Bundle) -> int:
    """The model version that holds this bundle, made by `run` unless it is there already."""
    office = Office(bundle.manifest.universe, bundle.manifest.target)
    return register_as(run, office, of_bundle(bundle))


def register_as(run: Run, office: Office, held: Package) -> int:
    """As `register`, of what an office holds whatever it is."""
    name = model_name(office)
    with locked(run.store, f"mlflow model {name}") as lock:
        found = version(run.server, office.models, held.hash)
        if found is not None:
            return found.number
        lock.require()
        return _create(run.server, run.id, name, held)


def register_again(server: Mlflow, store: Store, champion: Champion) -> int:
    """The version of the champion's model that holds it, made anew where MLflow has lost it.

    Raises BundleError or TextModelGone when it does not load from the object store either.
    """
    name = champion.model_name
    with locked(store, f"mlflow model {name}") as lock:
        found = version(server, (name,), champion.bundle)
        if found is not None:
            return found.number
        lost = package(champion.office, champion.bundle)
        where = experiment(server, store, experiment_of(lost.universe))
        fields = {"experiment_id": where, "run_name": "registered again"}
        made = server.call("POST", "mlflow/runs/create", **fields)
        lock.require()
        return _create(server, str(made["run"]["info"]["run_id"]), name, lost)


def move_alias(server: Mlflow, name: str, number: int) -> None:
    """Let the champion's alias of a registered model name that version."""
    fields = {"name": name, "alias": ALIAS, "version": str(number)}
    server.call("POST", "mlflow/registered-models/alias", **fields)


def show_champion(server: Mlflow, store: Store, champion: Champion) -> bool:
    """Let the alias name the version that holds the champion; True if it was registered again.

    The ledger's row names the model. Numbers are MLflow's: a model that was deleted counts from 1
    again, so they are looked up. Raises TrackingError, BundleError.
    """
    name = champion.model_name
    held = version(server, (name,), champion.bundle)
    number = held.number if held else register_again(server, store, champion)
    move_alias(server, name, number)
    agree(server, champion)
    return held is None


def agree(server: Mlflow, champion: Champion) -> None:
    """Let no other model of the office have the alias, and note with which promotion all agree.

    What moves an alias later is a person.
    """
    for name in models_of(champion):
        if name != champion.model_name:
            server.found("DELETE", "mlflow/registered-models/alias", name=name, alias=ALIAS)
        fields = {"key": AGREED_TAG, "value": champion.promotion_id}
        server.found("POST", "mlflow/registered-models/set-tag", name=name, **fields)


def models_of(champion: Champion) -> tuple[str, ...]:
    """The registered models in which somebody may choose another: its own first."""
    return tuple(dict.fromkeys((champion.model_name, *champion.office.models)))


def version(server: Mlflow, models: Iterable[str], bundle_hash: str) -> Version | None:
    """Where MLflow holds the bundle now, in the first of the models that does; else None."""
    for name in models:
        wanted = f"name = '{name}' AND tags.bundle = '{bundle_hash}'"
        answer = server.call("GET", "mlflow/model-versions/search", filter=wanted, max_results=1)
        if found := answer.get("model_versions"):
            return Version(name, int(found[0]["version"]))
    return None


def _create(server: Mlflow, run_id: str, name: str, held: Package) -> int:
    os.environ.update(_QUIET)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(server.url)
    with TemporaryDirectory() as scratch, warnings.catch_warnings():
        # MLflow asks for an input example, and would import everything again to try it.
        warnings.simplefilter("ignore", UserWarning)
        folder, code = Path(scratch, held.hash), Path(scratch, "model.py")
        folder.mkdir()
        held.copy_to(folder)
        code.write_text(held.code)
        with _told(), mlflow.start_run(run_id=run_id):
            logged = mlflow.pyfunc.log_model(
                name="bundle",
                python_model=str(code),
                artifacts={"bundle": str(folder)},
                signature=held.signature(),
                pip_requirements=[f"{n}=={v}" for n, v in held.libraries.items()],
                metadata={"bundle": held.hash},
            )
    with _told():
        client = mlflow.MlflowClient()
        if server.found("GET", "mlflow/registered-models/get", name=name) is None:
            client.create_registered_model(name)
        made = client.create_model_version(
            name, logged.model_uri, run_id, tags={"bundle": held.hash}, model_id=logged.model_id
        )
    return int(made.version)


@contextmanager
def _told() -> Iterator[None]:
    """What MLflow's own client raises, as one of ours."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise TrackingError(f"MLflow refused: {error}") from error
