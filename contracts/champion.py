"""Who is champion: the ledger's last promotion decides, the MLflow alias follows.

The order is that of the numbers which the database drew, under the lock of the office.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime

import orjson

from contracts import objects
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
        "FROM promotions WHERE universe = %s AND decision IN (%s, %s) ORDER BY number DESC",
        (universe, PROMOTED, ROLLED_BACK),
    )
    return [Champion(**row) for row in rows.to_pylist()]


def champion(store: Store, universe: str) -> Champion | None:
    """The champion in office, or None before the first promotion."""
    return next(iter(reign(store, universe)), None)


def pointer(universe: str) -> str:
    """Where in the object store the universe's `model_config.json` lies."""
    return f"champions/{universe}/model_config.json"


def point(office: Champion) -> None:
    """Let `model_config.json` show the champion in office, to tools that read a file.

    A reader sees the one before or this one, whole. Nothing of ours reads it: the ledger decides.
    """
    key, content = pointer(office.universe), orjson.dumps(asdict(office))
    with suppress(FileNotFoundError):
        if objects.get(key) == content:
            return
    objects.put(key, content)
