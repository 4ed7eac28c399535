"""The contests that an incumbent has stood, as the ledger holds them."""

import orjson

from contracts.champion import Office
from contracts.store import Store
from training.evidence.decision import Decision


def contests_of(store: Store, office: Office, incumbent: str) -> list[Decision]:
    """All contests against a bundle in that office: what each counted, they share one level.

    One that was never recorded, or by a version before, which counted nothing, is not among them.
    """
    rows = store.query(
        "SELECT evidence::text AS evidence FROM promotions WHERE universe = %s AND target = %s "
        "AND previous_bundle = %s AND cause = 'contest' AND evidence ? 'counted'",
        (office.universe, office.target, incumbent),
    )
    return [Decision.parse(orjson.loads(row)) for row in rows["evidence"].to_pylist()]
