"""The ledger of champions: rows are added to it, MLflow's alias and a file follow it when they can.

Bundles are known by their hash. The number of a model version is MLflow's, which forgets it with
the model: it is looked up, and kept beside a decision for people to read.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import orjson
import pyarrow as pa
import typer

from contracts.champion import (
    SENTIMENT,
    Cause,
    Champion,
    Office,
    champion,
    model_name,
    offices,
    point,
)
from contracts.context import run_context
from contracts.settings import settings
from contracts.store import Store
from contracts.table import Table
from contracts.tables import PROMOTIONS
from training.office.registration import show_champion, version
from training.run.lock import Lock, locked
from training.run.mlflow_api import Mlflow, TrackingError
from training.run.records import Fit, StepMissing


class Ledger(Protocol):
    """What rows of a ledger are written by: a store, or a lock that is held."""

    def record(self, table: Table, frame: pa.Table) -> int:
        """Add rows; returns how many."""


def deciding(store: Store, office: Office) -> AbstractContextManager[Lock]:
    """The lock under which alone an office's champion is decided on."""
    return locked(store, f"office {office}")


def numbered(office: Office, about: Fit) -> Fit:
    """With the model and number under which MLflow holds the bundle now, where it can be asked."""
    with suppress(TrackingError):
        if held := version(_server(), office.models, about.bundle):
            return replace(about, model=held.model, version=held.number)
    return about


@dataclass(frozen=True)
class Ruling:
    """What was decided about a bundle, and why; `id` names it, however often it is repeated."""

    id: str
    decision: str
    cause: Cause
    reason: str
    evidence: Mapping[str, Any]
    previous: str | None = None
    actor: str = ""


def record(ledger: Ledger, office: Office, about: Fit, ruling: Ruling, now: datetime) -> int:
    """Add a row about a bundle to the ledger of champions, once per ruling.

    ledger: the lock of the office, so that the row is written under it or not at all.
    """
    row = {
        "promotion_id": ruling.id,
        "universe": office.universe,
        "target": office.target,
        "decision": ruling.decision,
        "cause": ruling.cause,
        "bundle": about.bundle,
        "model_name": about.model or model_name(office),
        "model_version": about.version,
        "previous_bundle": ruling.previous,
        "actor": ruling.actor or run_context().airflow_run,
        "reason": ruling.reason,
        "evidence": orjson.dumps(ruling.evidence).decode(),
        "decided_at": now,
    }
    return ledger.record(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.schema))


def follow(store: Store, office: Office) -> Champion:
    """Let the alias in MLflow and `model_config.json` follow the ledger; returns the champion.

    What cannot be reached follows later: the ledger has decided, and the monitoring service goes
    on trying. Call it under the lock of the office.
    """
    in_office = require_champion(store, office)
    later = "the monitoring service sees to it within seconds of it being there again"
    with afterwards("the alias in MLflow", later):
        show_champion(_server(), store, in_office)
    with afterwards("model_config.json", later):
        point(in_office)
    return in_office


def show(store: Store, office: Office) -> Champion:
    """As `follow`, for its own sake: what cannot be reached is an error."""
    with deciding(store, office):
        in_office = require_champion(store, office)
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


def office_of(store: Store, universe: str, target: str = "") -> Office:
    """The universe's office of that target, or its only one; raises StepMissing naming them."""
    if target == SENTIMENT.target:
        return SENTIMENT
    known = [office for office in offices(store) if office.universe == universe]
    found = [office for office in known if target in ("", office.target)]
    if len(found) == 1:
        return found[0]
    if not known:
        raise StepMissing(f"{universe} has no champion: run `python -m training zero` first")
    raise StepMissing(
        f"expected --target to name one of {universe}'s champions: "
        f"{', '.join(office.target for office in known)}; found {target or 'none'!r}"
    )


def require_champion(store: Store, office: Office) -> Champion:
    """The champion in office; raises StepMissing."""
    in_office = champion(store, office)
    if in_office is None:
        raise StepMissing(f"{office} has no champion: run `python -m training zero` first")
    return in_office
