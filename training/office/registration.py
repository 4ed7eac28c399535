"""Bundles as versions of a registered model in MLflow, and the alias of the champion."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from contracts.champion import ALIAS, Champion, model_name
from contracts.store import Store
from training.bundle.bundle import Bundle, copy_to, load
from training.bundle.mlflow_model import columns
from training.run.lock import locked
from training.run.mlflow_api import Mlflow, TrackingError
from training.run.tracking import Run, experiment

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

AGREED_TAG = "finpulse.agreed_promotion"

# The whole code that MLflow keeps with a model: two lines that import ours.
_CODE = "from training.served import set_bundle_model\nset_bundle_model()\n"

_QUIET = {
    # A server that hangs is given up after three minutes; the client would take an hour.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def register(run: Run, bundle: Bundle) -> int:
    """The model version that holds this bundle, made by `run` unless it is there already."""
    name = model_name(bundle.manifest.universe)
    with locked(run.store, f"mlflow model {name}") as lock:
        found = version(run.server, bundle.manifest.universe, bundle.hash)
        if found is None:
            lock.require()
            found = _create(run.server, run.id, name, bundle)
    return found


def register_again(server: Mlflow, store: Store, universe: str, bundle_hash: str) -> int:
    """The model version that holds this bundle, made anew where MLflow has lost it.

    Raises BundleError when the bundle does not load from the object store either.
    """
    name = model_name(universe)
    with locked(store, f"mlflow model {name}") as lock:
        found = version(server, universe, bundle_hash)
        if found is not None:
            return found
        lost = load(bundle_hash)
        fields = {"experiment_id": experiment(server, store, name), "run_name": "registered again"}
        made = server.call("POST", "mlflow/runs/create", **fields)
        lock.require()
        return _create(server, str(made["run"]["info"]["run_id"]), name, lost)


def move_alias(server: Mlflow, universe: str, number: int) -> None:
    """Let the champion's alias name that version."""
    fields = {"name": model_name(universe), "alias": ALIAS, "version": str(number)}
    server.call("POST", "mlflow/registered-models/alias", **fields)


def show_champion(server: Mlflow, store: Store, office: Champion) -> bool:
    """Let the alias name the version that holds the champion; True if it was registered again.

    Numbers are MLflow's: a model that was deleted counts from 1 again, so they are looked up.
    Raises TrackingError, BundleError.
    """
    held = version(server, office.universe, office.bundle)
    number = held or register_again(server, store, office.universe, office.bundle)
    move_alias(server, office.universe, number)
    agree(server, office)
    return held is None


def agree(server: Mlflow, office: Champion) -> None:
    """Note beside the alias with which promotion it agrees: what moves it later is a person."""
    fields = {"key": AGREED_TAG, "value": office.promotion_id}
    name = model_name(office.universe)
    server.call("POST", "mlflow/registered-models/set-tag", name=name, **fields)


def version(server: Mlflow, universe: str, bundle_hash: str) -> int | None:
    """The number under which MLflow holds the bundle now; None when it does not."""
    wanted = f"name = '{model_name(universe)}' AND tags.bundle = '{bundle_hash}'"
    answer = server.call("GET", "mlflow/model-versions/search", filter=wanted, max_results=1)
    found = answer.get("model_versions")
    return int(found[0]["version"]) if found else None


def _create(server: Mlflow, run_id: str, name: str, bundle: Bundle) -> int:
    os.environ.update(_QUIET)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(server.url)
    with TemporaryDirectory() as scratch, warnings.catch_warnings():
        # MLflow asks for an input example, and would import everything again to try it.
        warnings.simplefilter("ignore", UserWarning)
        folder, code = Path(scratch, bundle.hash), Path(scratch, "model.py")
        folder.mkdir()
        copy_to(folder, bundle)
        code.write_text(_CODE)
        with _told(), mlflow.start_run(run_id=run_id):
            logged = mlflow.pyfunc.log_model(
                name="bundle",
                python_model=str(code),
                artifacts={"bundle": str(folder)},
                signature=_signature(bundle),
                pip_requirements=[f"{n}=={v}" for n, v in bundle.manifest.libraries.items()],
                metadata={"bundle": bundle.hash},
            )
    with _told():
        client = mlflow.MlflowClient()
        if server.found("GET", "mlflow/registered-models/get", name=name) is None:
            client.create_registered_model(name)
        made = client.create_model_version(
            name, logged.model_uri, run_id, tags={"bundle": bundle.hash}, model_id=logged.model_id
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


def _signature(bundle: Bundle) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = [ColSpec("float", name) for name in columns(bundle.manifest)]
    outputs = [ColSpec("double", name) for name in bundle.manifest.asked.columns]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
