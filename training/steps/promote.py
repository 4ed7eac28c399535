"""Who takes office: the ledger's row first, then the alias in MLflow."""

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from contracts import objects
from contracts.champion import PROMOTED, ROLLED_BACK, Champion, champion, reign
from contracts.store import Store
from training.bundle import bundle
from training.bundle.bundle import Bundle
from training.evidence.decision import Comparison, Decision, Parties, decide
from training.evidence.score import direction_losses, losses
from training.forecast import NEUTRAL, Forecasts
from training.office.incumbency import contests_of
from training.office.ledger import afterwards, follow, numbered, record, require_champion
from training.office.succession import stack
from training.run import records
from training.run.lock import locked
from training.run.records import Fit
from training.run.scope import Scope
from training.run.tracking import step
from training.samples.samples import Samples, TrainingError, common

# Digits of a bundle's hash that name it.
LEAST = 8


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

    (None, 0) when there was nothing to contest. Raises StepMissing, StaleContest, LockLost.
    """
    name = records.read(records.contest_key(scope.name), "contest")["promotion_id"]
    if not name:
        with locked(store, f"office {scope.universe}"):
            follow(store, scope.universe)
        return None, 0
    decision = Decision.parse(records.read(records.contest_key(name)))
    added = apply(store, decision, challenger(scope), now)
    tags = {"outcome": decision.outcome, "promotion_id": name, "bundle": decision.challenger}
    with (
        afterwards("the run of this step in MLflow", "a record only"),
        step(store, scope, "promote") as run,
    ):
        run.tag(tags)
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
    with locked(store, f"office {universe}") as lock:
        if champion(store, universe) is None:
            reason = "champion zero: the class frequencies, so that there is one to beat"
            fields = {"promotion_id": f"zero-{zero.bundle[:24]}", "decision": PROMOTED}
            record(lock, universe, zero, fields | {"reason": reason, "evidence": {}}, now)
        return follow(store, universe)


def apply(store: Store, decision: Decision, candidate: Fit, now: datetime) -> int:
    """Write the decision into the ledger, then move the alias; returns the rows added (0 or 1).

    A decision that is in the ledger already adds nothing. Raises StaleContest when the champion
    is no longer the one that was challenged, LockLost when another may be deciding meanwhile.
    """
    universe = decision.universe
    with locked(store, f"office {universe}") as lock:
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
        added = record(lock, universe, numbered(universe, candidate), fields, now)
        follow(store, universe)
    return added


def roll_back(
    store: Store, universe: str, leaving: str, reason: str, now: datetime
) -> Champion | None:
    """Put the champion before the one in office back; returns it.

    leaving: the bundle that is to leave, at least LEAST digits of its hash. None when it has left
    already, so that a repeat changes nothing. The one before is that which was promoted before
    it: what was rolled back once is not returned to. Raises StepMissing when nobody of that name
    was ever in office or nobody before it, BundleError when that one does not load or its view is
    not the code's, LockLost; then nothing has changed.
    """
    with locked(store, f"office {universe}") as lock:
        in_office = require_champion(store, universe)
        if not _names(leaving, in_office.bundle):
            _require_former(store, universe, leaving)
            follow(store, universe)
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
        record(lock, universe, numbered(universe, before), fields, now)
        return follow(store, universe)


def _names(given: str, bundle_hash: str) -> bool:
    return len(given) >= LEAST and bundle_hash.startswith(given)


def _require_former(store: Store, universe: str, leaving: str) -> None:
    former = [one.bundle for one in reign(store, universe)]
    if not any(_names(leaving, each) for each in former):
        raise records.StepMissing(
            f"{leaving!r} was never champion of {universe}: name the bundle that is to leave by "
            f"{LEAST} digits of its hash or more; {former[0]} is in office"
        )


def _before(store: Store, universe: str) -> Fit:
    ranks = reign(store, universe)
    decisions = store.query(
        "SELECT decision, bundle FROM promotions WHERE universe = %s ORDER BY number", (universe,)
    ).to_pylist()
    held = stack((row["decision"], row["bundle"]) for row in decisions)
    if len(held) < 2:
        raise records.StepMissing(
            f"{universe} has no champion before the one in office: train another with the DAG "
            "train_models"
        )
    number = next(one.model_version for one in ranks if one.bundle == held[-2])
    return Fit("", held[-2], number)
