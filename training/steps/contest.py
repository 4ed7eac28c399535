"""The step `contest`: the challenger meets the champion, and the decision waits for `promote`."""

from dataclasses import replace

from contracts import objects
from contracts.champion import Champion
from contracts.store import Store
from training.bundle import bundle
from training.bundle.bundle import Bundle
from training.evidence.decision import Decision, Parties, compare, decide
from training.objective import Forecasts
from training.office.incumbency import contests_of
from training.office.ledger import require_champion
from training.run import records
from training.run.records import Fit
from training.run.scope import Scope
from training.run.tracking import step
from training.samples.samples import Samples, TrainingError, common


def challenger(scope: Scope) -> Fit:
    """The recipe's ensemble, whose evidence must have been gathered; raises StepMissing."""
    candidate = records.read_fit(scope, scope.recipe.ensemble)
    records.evidence(candidate.bundle)
    return candidate


def contest(store: Store, scope: Scope) -> Decision | None:
    """Let the recipe's challenger meet the champion and keep the decision for `promote`.

    Returns None when the challenger is the champion already. Raises StepMissing, TrainingError.
    """
    against, candidate = require_champion(store, scope.office), challenger(scope)
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


def hold(store: Store, scope: Scope, against: Champion, candidate: Fit) -> Decision:
    """Compare both on settled rows that are newer than what either was trained on.

    A contest that the ledger holds is not held again: it found what it found.
    """
    earlier = contests_of(store, scope.office, against.bundle)
    for decision in earlier:
        if (decision.challenger, decision.snapshot) == (candidate.bundle, scope.snapshot):
            return decision
    ours, theirs = bundle.load(candidate.bundle), bundle.load(against.bundle)
    for field in ("target", "label", "horizon", "objective"):
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
    found = compare(_said(ours, rows), _said(theirs, other), rows.truth, rows.sessions)
    parties = Parties(scope.universe, scope.office.target, ours.hash, theirs.hash, scope.snapshot)
    found = replace(found, overlap=scope.overlap)
    return decide(parties, found, scope.recipe.rules, earlier)


def _said(side: Bundle, rows: Samples) -> Forecasts:
    return Forecasts(side.manifest.asked, rows.answers(side.manifest.window, side.forecast))
