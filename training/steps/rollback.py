"""The step `rollback`: the champion before the one that is to leave comes back."""

from datetime import datetime
from uuid import uuid4

from contracts.champion import ROLLED_BACK, Champion, Office, reign
from contracts.store import Store
from training.office.ledger import Ruling, deciding, follow, numbered, record, require_champion
from training.office.package import require_fit
from training.office.succession import held_by
from training.run import records
from training.run.records import Fit

# Digits of a bundle's hash that name it.
LEAST = 8


def roll_back(
    store: Store, office: Office, leaving: str, reason: str, now: datetime
) -> Champion | None:
    """Put the champion before the one in office back; returns it.

    leaving: the bundle that is to leave, at least LEAST digits of its hash. None when it has left
    already, so that a repeat changes nothing. The one before is that which was promoted before
    it: what was rolled back once is not returned to. Raises StepMissing when nobody of that name
    was ever in office or nobody before it, BundleError when that one does not load or its view is
    not the code's, LockLost; then nothing has changed.
    """
    with deciding(store, office) as lock:
        in_office = require_champion(store, office)
        if not _names(leaving, in_office.bundle):
            _require_former(store, office, leaving)
            follow(store, office)
            return None
        before = _before(store, office)
        require_fit(office, before.bundle)
        left = {"rolled_back": in_office.promotion_id}
        ruling = Ruling(uuid4().hex, ROLLED_BACK, "rollback", reason, left, in_office.bundle)
        record(lock, office, numbered(office, before), ruling, now)
        return follow(store, office)


def _names(given: str, bundle_hash: str) -> bool:
    return len(given) >= LEAST and bundle_hash.startswith(given)


def _require_former(store: Store, office: Office, leaving: str) -> None:
    former = [one.bundle for one in reign(store, office)]
    if not any(_names(leaving, each) for each in former):
        raise records.StepMissing(
            f"{leaving!r} was never champion of {office}: name the bundle that is to leave by "
            f"{LEAST} digits of its hash or more; {former[0]} is in office"
        )


def _before(store: Store, office: Office) -> Fit:
    held = held_by(store, office)
    if len(held) < 2:
        raise records.StepMissing(
            f"{office} has no champion before the one in office: train another with the DAG "
            "train_models"
        )
    then = held[-2]
    return Fit("", then.bundle, then.model_version, then.model_name)
