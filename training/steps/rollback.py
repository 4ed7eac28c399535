"""The step `rollback`: the champion before the one that is to leave comes back."""

from datetime import datetime
from uuid import uuid4

from contracts.champion import ROLLED_BACK, Champion, reign
from contracts.store import Store
from training.bundle import bundle
from training.office.ledger import follow, numbered, record, require_champion
from training.office.succession import stack
from training.run import records
from training.run.lock import locked
from training.run.records import Fit

# Digits of a bundle's hash that name it.
LEAST = 8


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
