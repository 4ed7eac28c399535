"""What the steps of one training run leave for each other, as JSON in the object store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from contracts import objects
from training.evidence import Evidence
from training.scope import Scope


class StepMissing(LookupError):
    """An earlier step has not been run; the message names the verb."""


@dataclass(frozen=True)
class Fit:
    """A fitted expert: its bundle and the model version that holds it."""

    expert: str
    bundle: str
    version: int


def write(key: str, fields: Mapping[str, Any]) -> None:
    """Store plain values under a key."""
    objects.put(key, orjson.dumps(fields, option=orjson.OPT_INDENT_2))


def read(key: str, verb: str = "") -> dict[str, Any]:
    """The values under a key; raises StepMissing naming the verb that writes them."""
    if not objects.exists(key):
        raise StepMissing(f"the object store holds no {key}: run `python -m training {verb}` first")
    return dict(orjson.loads(objects.get(key)))


def tuning_key(scope: Scope) -> str:
    """Where the best hyperparameters of each expert lie."""
    return f"tunings/{scope.name}.json"


def contest_key(name: str) -> str:
    """Where a decision lies: by promotion id, and by scope the id of its newest contest."""
    return f"contests/{name}.json"


def hyperparameters(scope: Scope, expert: str) -> dict[str, Any]:
    """The tuned values of an expert; none when the recipe was not tuned."""
    key = tuning_key(scope)
    best = read(key)["best"] if objects.exists(key) else {}
    return dict(best.get(expert, {}))


def write_fit(scope: Scope, fit: Fit) -> None:
    """Leave a fitted expert for evidence and contest."""
    write(f"fits/{scope.name}_{fit.expert}.json", {"bundle": fit.bundle, "version": fit.version})


def read_fit(scope: Scope, expert: str) -> Fit:
    """The fitted expert of this scope; raises StepMissing."""
    found = read(f"fits/{scope.name}_{expert}.json", f"fit --expert {expert}")
    return Fit(expert, str(found["bundle"]), int(found["version"]))


def write_evidence(bundle: str, evidence: Evidence) -> None:
    """Keep the evidence of a bundle."""
    write(f"evidence/{bundle}.json", evidence.as_json())


def read_evidence(bundle: str) -> Evidence | None:
    """The evidence of a bundle, None when none was gathered."""
    key = f"evidence/{bundle}.json"
    return Evidence.parse(read(key)) if objects.exists(key) else None


def evidence(bundle: str) -> Evidence:
    """The evidence of a bundle; raises StepMissing when none was gathered."""
    return Evidence.parse(read(f"evidence/{bundle}.json", "evidence"))
