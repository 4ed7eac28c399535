"""Who takes office: the ledger's row first, then the alias in MLflow."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson
import pyarrow as pa

from contracts import objects
from contracts.champion import PROMOTED, ROLLED_BACK, Champion, champion, model_name, point
from contracts.context import run_context
from contracts.settings import settings
from contracts.store import Store
from contracts.tables import PROMOTIONS
from training import bundle, records
from training.bundle import Bundle
from training.contest import Comparison, Decision, Parties, decide
from training.forecast import NEUTRAL, Forecasts
from training.incumbency import contests_of
from training.records import Fit
from training.registration import move_alias
from training.samples import Samples, TrainingError, common
from training.scope import Scope
from training.score import direction_losses, losses
from training.tracking import Mlflow, locked, step


class StaleContest(RuntimeError):
    """The champion changed between contest and promotion."""


def challenger(scope: Scope) -> Fit:
    """The recipe's ensemble, whose evidence must have been gathered; raises StepMissing."""
    candidate = records.read_fit(scope, scope.recipe.ensemble)
    records.evidence(candidate.bundle)
    return candidate


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
    decision = Decision.parse(records.read(records.contest_key(name)))
    with step(store, scope, "promote") as run:
        added = apply(store, decision, challenger(scope), now)
        run.tag({"outcome": decision.outcome, "promotion_id": name, "bundle": decision.challenger})
    return decision, added


def hold(store: Store, scope: Scope, against: Champion, candidate: Fit) -> Decision:
    """Compare both on settled rows that are newer than what either was trained on.

    A contest that the ledger holds is not held again: it found what it found.
    """
    earlier = contests_of(store, scope.universe, against.bundle)
    for decision in earlier:
        if (decision.challenger, decision.snapshot) == (candidate.bundle, scope.snapshot):
            return decision
    ours, theirs = bundle.load(candidate.bundle), bundle.load(against.bundle)
    for field in ("label", "horizon", "objective"):
        left, right = getattr(ours.manifest, field), getattr(theirs.manifest, field)
        if left != right:
            raise TrainingError(
                f"challenger and champion differ in {field} ({left}, {right}): they cannot be "
                "compared on the same rows"
            )
    for side in (ours, theirs):
        side.require_view()
    after = max(ours.manifest.as_of, theirs.manifest.as_of)
    rows, other = (scope.contest(store, side.manifest, after) for side in (ours, theirs))
    rows, other = common(rows, other)
    found = compare(_said(ours, rows), _said(theirs, other), rows)
    parties = Parties(scope.universe, ours.hash, theirs.hash, scope.snapshot)
    found = replace(found, overlap=scope.overlap)
    return decide(parties, found, scope.recipe.rules, earlier)


def compare(ours: Forecasts, theirs: Forecasts, rows: Samples) -> Comparison:
    """Challenger's and champion's forecasts of the same rows, as the contest looks at them."""
    moved, truth = rows.labels != NEUTRAL, rows.labels
    challenger, champion = (direction_losses(side, truth)[moved] for side in (ours, theirs))
    first, second = (
        float(losses(side, truth).sum()) / max(len(rows), 1) for side in (ours, theirs)
    )
    return Comparison(challenger, champion, rows.sessions[moved], (first, second))


def _said(side: Bundle, rows: Samples) -> Forecasts:
    return Forecasts(rows.answers(side.manifest.window, side.forecast))


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


def roll_back(
    store: Store, universe: str, reason: str, now: datetime, only: str = ""
) -> Champion | None:
    """Put the champion before the one in office back; returns it.

    The one before is that which was promoted before it: what was rolled back once is not returned
    to. only: do nothing, and return None, unless this bundle is in office, so that a repeated
    task rolls back once. Raises StepMissing when there is none before, BundleError when it does
    not load or its view is not the code's; then nothing has changed.
    """
    with locked(store, f"office {universe}"):
        in_office = require_champion(store, universe)
        if only and in_office.bundle != only:
            return None
        before = _before(store, universe)
        loaded = bundle.load(before.bundle)
        loaded.require_view()
        fields = {
            "promotion_id": uuid4().hex,
            "decision": ROLLED_BACK,
            "previous_bundle": in_office.bundle,
            "reason": reason,
            "evidence": {"rolled_back": in_office.promotion_id},
        }
        record(store, universe, before, fields, now)
        return follow(store, universe)


def _before(store: Store, universe: str) -> Fit:
    rows = store.query(
        "SELECT bundle, model_version, decision FROM promotions WHERE universe = %s "
        "AND decision IN (%s, %s) ORDER BY decided_at",
        (universe, PROMOTED, ROLLED_BACK),
    )
    stack: list[Fit] = []
    for row in rows.to_pylist():
        about = Fit("", row["bundle"], row["model_version"])
        if row["decision"] == ROLLED_BACK:
            while stack and stack[-1] != about:
                stack.pop()
        if not stack or stack[-1] != about:
            stack.append(about)
    if len(stack) < 2:
        raise records.StepMissing(
            f"{universe} has no champion before the one in office: train another with the DAG "
            "train_models"
        )
    return stack[-2]


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
    """Let the alias in MLflow and `model_config.json` follow the ledger; returns the champion."""
    in_office = require_champion(store, universe)
    move_alias(Mlflow(settings().mlflow), universe, in_office.model_version)
    point(in_office)
    return in_office


def require_champion(store: Store, universe: str) -> Champion:
    """The champion in office; raises StepMissing."""
    in_office = champion(store, universe)
    if in_office is None:
        raise records.StepMissing(
            f"{universe} has no champion: run `python -m training zero` first"
        )
    return in_office
