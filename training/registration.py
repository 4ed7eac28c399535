"""Bundles as versions of a registered model in MLflow, and the alias of the champion."""

import logging
import os
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from contracts.champion import ALIAS, model_name
from training.bundle import Bundle, copy_to
from training.forecast import CLASSES
from training.served import columns
from training.tracking import Mlflow, Run, locked

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

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
    with locked(run.store, f"mlflow model {name}"):
        return _version(run.server, name, bundle.hash) or _create(run, name, bundle)


def move_alias(server: Mlflow, universe: str, version: int) -> None:
    """Let the champion's alias name that version."""
    fields = {"name": model_name(universe), "alias": ALIAS, "version": str(version)}
    server.call("POST", "mlflow/registered-models/alias", **fields)


def _version(server: Mlflow, name: str, bundle_hash: str) -> int | None:
    wanted = f"name = '{name}' AND tags.bundle = '{bundle_hash}'"
    answer = server.call("GET", "mlflow/model-versions/search", filter=wanted, max_results=1)
    found = answer.get("model_versions")
    return int(found[0]["version"]) if found else None


def _create(run: Run, name: str, bundle: Bundle) -> int:
    os.environ.update(_QUIET)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(run.server.url)
    with TemporaryDirectory() as scratch, warnings.catch_warnings():
        # MLflow asks for an input example, and would import everything again to try it.
        warnings.simplefilter("ignore", UserWarning)
        folder, code = Path(scratch, bundle.hash), Path(scratch, "model.py")
        folder.mkdir()
        copy_to(folder, bundle)
        code.write_text(_CODE)
        with mlflow.start_run(run_id=run.id):
            logged = mlflow.pyfunc.log_model(
                name="bundle",
                python_model=str(code),
                artifacts={"bundle": str(folder)},
                signature=_signature(bundle),
                pip_requirements=[f"{n}=={v}" for n, v in bundle.manifest.libraries.items()],
                metadata={"bundle": bundle.hash},
            )
    client = mlflow.MlflowClient()
    if run.server.found("GET", "mlflow/registered-models/get", name=name) is None:
        client.create_registered_model(name)
    made = client.create_model_version(
        name, logged.model_uri, run.id, tags={"bundle": bundle.hash}, model_id=logged.model_id
    )
    return int(made.version)


def _signature(bundle: Bundle) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = [ColSpec("float", name) for name in columns(bundle.manifest)]
    outputs = [ColSpec("double", f"p_{name}") for name in CLASSES]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
