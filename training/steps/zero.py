"""The step `zero`: the objective's plainest expert takes office where nobody is in it."""

from datetime import datetime

from contracts.champion import PROMOTED, Champion, champion
from contracts.store import Store
from training.office.ledger import follow, record
from training.run.lock import locked
from training.run.records import Fit


def install_first(store: Store, universe: str, zero: Fit, now: datetime) -> Champion:
    """Put champion zero into office unless someone is; returns who is in office."""
    with locked(store, f"office {universe}") as lock:
        if champion(store, universe) is None:
            reason = f"champion zero: {zero.expert}, so that there is one to beat"
            fields = {"promotion_id": f"zero-{zero.bundle[:24]}", "decision": PROMOTED}
            record(lock, universe, zero, fields | {"reason": reason, "evidence": {}}, now)
        return follow(store, universe)
