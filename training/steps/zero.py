"""The step `zero`: the objective's plainest expert takes office where nobody is in it."""

from datetime import datetime

from contracts.champion import PROMOTED, Champion, Office, champion
from contracts.store import Store
from training.office.ledger import Ruling, deciding, follow, numbered, record
from training.run.records import Fit


def install_first(store: Store, office: Office, zero: Fit, now: datetime) -> Champion:
    """Put champion zero into office unless someone is; returns who is in office."""
    with deciding(store, office) as lock:
        if champion(store, office) is None:
            reason = f"champion zero: {zero.expert}, so that there is one to beat"
            ruling = Ruling(f"zero-{zero.bundle[:24]}", PROMOTED, "zero", reason, {})
            record(lock, office, numbered(office, zero), ruling, now)
        return follow(store, office)
