"""The ledger of champions: rows are added to it, MLflow's alias and a file follow it when they can.

Bundles are known by their hash. The number of a model version is MLflow's, which forgets it with
the model: it is looked up, and kept beside a decision for people to read.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

import orjson
import pyarrow as pa
import typer

from contracts.champion import Champion, champion, model_name, point
from contracts.context import run_context
from contracts.settings import settings
from contracts.store import Store
from contracts.table import Table
from contracts.tables import PROMOTIONS
from training.office.registration import show_champion, version
from training.run.lock import locked
from training.run.mlflow_api import Mlflow, TrackingError
from training.run.records import Fit, StepMissing


class Ledger(Protocol):
    """What rows of a ledger are written by: a store, or a lock that is held."""

    def record(self, table: Table, frame: pa.Table) -> int:
        """Add rows; returns how many."""


def numbered(universe: str, about: Fit) -> Fit:
    """With the number under which MLflow holds the bundle now, where it can be asked."""
    with suppress(TrackingError):
        number = version(_server(), universe, about.bundle)
        return replace(about, version=number or about.version)
    return about


def record(
    ledger: Ledger, universe: str, about: Fit, fields: Mapping[str, Any], now: datetime
) -> int:
    """Add a row about a bundle to the ledger of champions, once per promotion_id.

    ledger: the lock of the office, so that the row is written under it or not at all.
    """
    row = {
        "universe": universe,
        "bundle": about.bundle,
        "model_name": model_name(universe),
        "model_version": about.version,
        "previous_bundle": None,
        "actor": run_context().airflow_run,
        "decided_at": now,
        **fields,
        "evidence": orjson.dumps(fields["evidence"]).decode(),
    }
    return ledger.record(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.schema))


def follow(store: Store, universe: str) -> Champion:
    """Let the alias in MLflow and `model_config.json` follow the ledger; returns the champion.

    What cannot be reached follows later: the ledger has decided, and the monitoring service goes
    on trying. Call it under the lock of the office.
    """
    in_office = require_champion(store, universe)
    later = "the monitoring service sees to it within seconds of it being there again"
    with afterwards("the alias in MLflow", later):
        show_champion(_server(), store, in_office)
    with afterwards("model_config.json", later):
        point(in_office)
    return in_office


def show(store: Store, universe: str) -> Champion:
    """As `follow`, for its own sake: what cannot be reached is an error."""
    with locked(store, f"office {universe}"):
        in_office = require_champion(store, universe)
        show_champion(_server(), store, in_office)
        point(in_office)
    return in_office


def _server() -> Mlflow:
    # The lock of the office is held meanwhile: a server that hangs must not hold it for long.
    return Mlflow(settings().mlflow, seconds=10)


@contextmanager
def afterwards(what: str, later: str) -> Iterator[None]:
    """What is done after the ledger's row: a failure is told on stderr and stops nothing."""
    try:
        yield
    except Exception as error:  # Whatever it is, the row in the ledger stands.
        typer.echo(
            f"the ledger has decided, {what} does not show it yet: {error}; {later}, nothing is to "
            "be repeated",
            err=True,
        )


def require_champion(store: Store, universe: str) -> Champion:
    """The champion in office; raises StepMissing."""
    in_office = champion(store, universe)
    if in_office is None:
        raise StepMissing(f"{universe} has no champion: run `python -m training zero` first")
    return in_office
