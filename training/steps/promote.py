"""The step `promote`: the decision's row in the ledger first, then the alias in MLflow."""

from datetime import datetime

from contracts.champion import PROMOTED, SENTIMENT, STAGED, champion
from contracts.expected import Expected
from contracts.settings import settings
from contracts.store import Store
from training.evidence.decision import Decision
from training.office.ledger import Ruling, afterwards, deciding, follow, numbered, record
from training.office.staging import begin_under
from training.run import records
from training.run.records import Fit
from training.run.scope import Scope
from training.run.tracking import step
from training.steps.contest import challenger


class StaleContest(Expected, RuntimeError):
    """The champion changed between contest and promotion."""


def promote(store: Store, scope: Scope, now: datetime) -> tuple[Decision | None, int]:
    """Apply the scope's newest contest; returns its decision and the ledger rows added.

    (None, 0) when there was nothing to contest. Raises StepMissing, StaleContest, LockLost.
    """
    name = records.read(records.contest_key(scope.name), "contest")["promotion_id"]
    if not name:
        with deciding(store, scope.office):
            follow(store, scope.office)
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


def apply(store: Store, decision: Decision, candidate: Fit, now: datetime) -> int:
    """Write the decision into the ledger, then move the alias; returns the rows added (0 or 1).

    Where releases are staged, the winner of a market's contest begins one in place of office. A
    decision that is in the ledger already adds nothing. Raises StaleContest when the champion is no
    longer the one that was challenged, ReleaseRefused where no release may begin, LockLost when
    another may be deciding meanwhile.
    """
    office = decision.office
    with deciding(store, office) as lock:
        known = store.query(
            "SELECT 1 AS one FROM promotions WHERE promotion_id = %s", (decision.promotion_id,)
        )
        in_office = champion(store, office)
        if not known.num_rows and (in_office is None or in_office.bundle != decision.champion):
            raise StaleContest(
                f"champion {decision.champion[:12]} was challenged, but "
                f"{in_office.bundle[:12] if in_office else 'nobody'} is in office: run "
                "`python -m training contest` again"
            )
        won = decision.outcome == PROMOTED
        # Who reads texts answers no callers: there is nobody to be staged before.
        staged = won and settings().release == "staged" and office != SENTIMENT
        about = numbered(office, candidate)
        if staged and not known.num_rows:
            why = (decision.reason, now)
            begin_under(lock, store, office, about, why, decision.promotion_id)
        ruling = Ruling(
            decision.promotion_id,
            STAGED if staged else decision.outcome,
            "contest",
            decision.reason,
            decision.as_json(),
            decision.champion,
        )
        added = record(lock, office, about, ruling, now)
        follow(store, office)
    return added
