"""What the steps of one training run leave for each other, as JSON in the object store."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from contracts import objects
from contracts.expected import Expected
from training.evidence.evidence import Evidence
from training.evidence.walk import Walk
from training.objective import Forecasts
from training.run.scope import Scope

# The column of a walk that tells up to when its forecaster had learnt; those of before have none.
_LEARNT = "learnt"
# What the ensemble said before it was calibrated, among the forecasters of a recipe that does so.
UNCALIBRATED = "uncalibrated"


class StepMissing(Expected, LookupError):
    """An earlier step has not been run; the message names the verb."""


@dataclass(frozen=True)
class Fit:
    """A fitted expert or ensemble: its bundle and the model version that holds it.

    model: the registered model of that version; empty for the one of its office.
    """

    expert: str
    bundle: str
    version: int
    model: str = ""


def write(key: str, fields: Mapping[str, Any]) -> None:
    """Store plain values under a key."""
    objects.put(key, orjson.dumps(fields, option=orjson.OPT_INDENT_2))


def read(key: str, verb: str = "") -> dict[str, Any]:
    """The values under a key; raises StepMissing naming the verb that writes them."""
    _require(key, verb)
    return dict(orjson.loads(objects.get(key)))


def _require(key: str, verb: str) -> None:
    if not objects.exists(key):
        raise StepMissing(f"the object store holds no {key}: run `python -m training {verb}` first")


def tuning_key(scope: Scope) -> str:
    """Where the best hyperparameters of each expert lie."""
    return f"tunings/{scope.name}.json"


def contest_key(name: str) -> str:
    """Where a decision lies: by promotion id, and by scope the id of its newest contest."""
    return f"contests/{name}.json"


def hyperparameters(scope: Scope, expert: str) -> dict[str, Any]:
    """The tuned values of an expert; the recipe's own when it was not tuned."""
    key = tuning_key(scope)
    best = read(key)["best"] if objects.exists(key) else {}
    return dict(best.get(expert, scope.recipe.fixed.get(expert, {})))


def write_fit(scope: Scope, fit: Fit) -> None:
    """Leave a fitted expert for evidence and contest."""
    write(f"fits/{scope.name}_{fit.expert}.json", {"bundle": fit.bundle, "version": fit.version})


def read_fit(scope: Scope, expert: str) -> Fit:
    """The fitted expert or ensemble of this scope; raises StepMissing."""
    found = read(f"fits/{scope.name}_{expert}.json", _verb(scope, expert))
    return Fit(expert, str(found["bundle"]), int(found["version"]))


def write_walk(scope: Scope, name: str, walked: Walk) -> None:
    """Leave what an expert or ensemble said out of sample."""
    said = pa.table(dict(zip(scope.objective.columns, walked.forecasts.values.T, strict=True)))
    if walked.forecasts.learnt is not None:
        said = said.append_column(_LEARNT, pa.array(walked.forecasts.learnt))
    null = orjson.dumps({metric: list(values) for metric, values in walked.null.items()})
    buffer = io.BytesIO()
    pq.write_table(said.replace_schema_metadata({b"null": null}), buffer, compression="zstd")
    objects.put(_walk_key(scope, name), buffer.getvalue())


def read_walk(scope: Scope, name: str) -> Walk:
    """What an expert or ensemble of this scope said out of sample; raises StepMissing."""
    key = _walk_key(scope, name)
    _require(key, _verb(scope, name))
    said = pq.read_table(pa.BufferReader(objects.get(key)))
    null = orjson.loads(said.schema.metadata[b"null"])
    values = np.column_stack([said[name].to_numpy() for name in scope.objective.columns])
    learnt = said[_LEARNT].to_numpy() if _LEARNT in said.column_names else None
    return Walk(Forecasts(scope.objective, values, learnt=learnt), null)


def _walk_key(scope: Scope, name: str) -> str:
    return f"walks/{scope.name}_{name}.parquet"


def _verb(scope: Scope, name: str) -> str:
    return "ensemble" if name in {scope.recipe.ensemble, UNCALIBRATED} else f"fit --expert {name}"


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
