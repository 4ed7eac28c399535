"""Who is champion: the newest promotion in the ledger decides, the MLflow alias follows."""

from dataclasses import dataclass
from datetime import datetime

from contracts.store import Store

PROMOTED = "promoted"
KEPT = "kept"
REFUSED = "refused"
ROLLED_BACK = "rolled_back"
ALIAS = "champion"


@dataclass(frozen=True)
class Champion:
    """A bundle in office, as the ledger says."""

    promotion_id: str
    universe: str
    bundle: str
    model_name: str
    model_version: int
    actor: str
    decided_at: datetime


def model_name(universe: str) -> str:
    """The registered model in MLflow that holds the bundles of a universe."""
    return f"finpulse-{universe}"


def reign(store: Store, universe: str) -> list[Champion]:
    """All champions of a universe, newest first."""
    rows = store.query(
        "SELECT promotion_id, universe, bundle, model_name, model_version, actor, decided_at "
        "FROM promotions WHERE universe = %s AND decision IN (%s, %s) ORDER BY decided_at DESC",
        (universe, PROMOTED, ROLLED_BACK),
    )
    return [Champion(**row) for row in rows.to_pylist()]


def champion(store: Store, universe: str) -> Champion | None:
    """The champion in office, or None before the first promotion."""
    return next(iter(reign(store, universe)), None)
