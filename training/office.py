"""Who takes office: the ledger's row first, then the alias in MLflow."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from contracts import objects
from contracts.champion import PROMOTED, Champion, champion, model_name
from contracts.context import run_context
from contracts.settings import settings
from contracts.store import Store
from contracts.tables import PROMOTIONS
from training import bundle, records
from training.contest import Comparison, Decision, Parties, decide
from training.forecast import Forecasts
from training.records import Fit
from training.registration import move_alias
from training.samples import TrainingError, common
from training.scope import Scope
from training.score import losses
from training.tracking import Mlflow, locked, step


class StaleContest(RuntimeError):
    """The champion changed between contest and promotion."""


def challenger(scope: Scope) -> Fit:
    """Of the recipe's fitted experts the one with the smallest out-of-sample log loss."""

    def out_of_sample(fit: Fit) -> float:
        evidence = records.read_evidence(fit.bundle)
        if evidence is None:
            raise records.StepMissing(
                f"bundle {fit.bundle[:12]} has no evidence: run `python -m training evidence` first"
            )
        return evidence.log_loss

    return min((records.read_fit(scope, name) for name in scope.recipe.experts), key=out_of_sample)


def contest(store: Store, scope: Scope) -> Decision | None:
    """Let the recipe's challenger meet the champion and keep the decision for `promote`.

    Returns None when the challenger is the champion already. Raises StepMissing, TrainingError.
    """
    against, candidate = require_champion(store, scope.universe), challenger(scope)
    newest = records.contest_key(scope.name)
    if candidate.bundle == against.bundle:
        if not objects.exists(newest):
            records.write(newest, {"promotion_id": ""})
        return None
    with step(store, scope, "contest") as run:
        decision = hold(store, scope, against, candidate)
        run.log(metrics=decision.metrics)
        run.tag({"challenger": candidate.bundle, "champion": against.bundle})
        run.tag({"outcome": decision.outcome, "reason": decision.reason})
        run.attach("contest.json", decision.as_json())
    records.write(records.contest_key(decision.promotion_id), decision.as_json())
    records.write(newest, {"promotion_id": decision.promotion_id})
    return decision


def promote(store: Store, scope: Scope, now: datetime) -> tuple[Decision | None, int]:
    """Apply the scope's newest contest; returns its decision and the ledger rows added.

    (None, 0) when there was nothing to contest. Raises StepMissing, StaleContest.
    """
    name = records.read(records.contest_key(scope.name), "contest")["promotion_id"]
    if not name:
        follow(store, scope.universe)
        return None, 0
    decision = Decision(**records.read(records.contest_key(name)))
    with step(store, scope, "promote") as run:
        added = apply(store, decision, challenger(scope), now)
        run.tag({"outcome": decision.outcome, "promotion_id": name, "bundle": decision.challenger})
    return decision, added


def hold(store: Store, scope: Scope, against: Champion, candidate: Fit) -> Decision:
    """Compare both on settled rows that are newer than what either was trained on."""
    ours, theirs = bundle.load(candidate.bundle), bundle.load(against.bundle)
    for field in ("label", "horizon", "objective"):
        left, right = getattr(ours.manifest, field), getattr(theirs.manifest, field)
        if left != right:
            raise TrainingError(
                f"challenger and champion differ in {field} ({left}, {right}): they cannot be "
                "compared on the same rows"
            )
    after = max(ours.manifest.as_of, theirs.manifest.as_of)
    rows = scope.contest(store, ours.manifest.view, after)
    other = rows
    if theirs.manifest.view != ours.manifest.view:
        rows, other = common(rows, scope.contest(store, theirs.manifest.view, after))
    found = Comparison(
        challenger=losses(Forecasts(ours.forecast(rows.values)), rows.labels),
        champion=losses(Forecasts(theirs.forecast(other.values)), rows.labels),
        sessions=rows.sessions,
    )
    parties = Parties(scope.universe, ours.hash, theirs.hash, scope.snapshot)
    return decide(parties, found, scope.recipe.rules)


def install_first(store: Store, universe: str, zero: Fit, now: datetime) -> Champion:
    """Put champion zero into office unless someone is; returns who is in office."""
    with locked(store, f"office {universe}"):
        if champion(store, universe) is None:
            reason = "champion zero: the class frequencies, so that there is one to beat"
            fields = {"promotion_id": f"zero-{zero.bundle[:24]}", "decision": PROMOTED}
            record(store, universe, zero, fields | {"reason": reason, "evidence": {}}, now)
        return follow(store, universe)


def apply(store: Store, decision: Decision, candidate: Fit, now: datetime) -> int:
    """Write the decision into the ledger, then move the alias; returns the rows added (0 or 1).

    A decision that is in the ledger already adds nothing. Raises StaleContest when the champion
    is no longer the one that was challenged.
    """
    universe = decision.universe
    with locked(store, f"office {universe}"):
        known = store.query(
            "SELECT 1 AS one FROM promotions WHERE promotion_id = %s", (decision.promotion_id,)
        )
        in_office = champion(store, universe)
        if not known.num_rows and (in_office is None or in_office.bundle != decision.champion):
            raise StaleContest(
                f"champion {decision.champion[:12]} was challenged, but "
                f"{in_office.bundle[:12] if in_office else 'nobody'} is in office: run "
                "`python -m training contest` again"
            )
        fields = {
            "promotion_id": decision.promotion_id,
            "decision": decision.outcome,
            "previous_bundle": decision.champion,
            "reason": decision.reason,
            "evidence": decision.as_json(),
        }
        added = record(store, universe, candidate, fields, now)
        follow(store, universe)
    return added


def record(
    store: Store, universe: str, about: Fit, fields: Mapping[str, Any], now: datetime
) -> int:
    """Add a row about a bundle to the ledger of champions, once per promotion_id."""
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
    return store.record(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.schema))


def follow(store: Store, universe: str) -> Champion:
    """Let the alias in MLflow follow the ledger; returns the champion."""
    in_office = require_champion(store, universe)
    move_alias(Mlflow(settings().mlflow), universe, in_office.model_version)
    return in_office


def require_champion(store: Store, universe: str) -> Champion:
    """The champion in office; raises StepMissing."""
    in_office = champion(store, universe)
    if in_office is None:
        raise records.StepMissing(
            f"{universe} has no champion: run `python -m training zero` first"
        )
    return in_office
