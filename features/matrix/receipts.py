"""What is written of a view's matrices, as the table `materialisations` tells it."""

from datetime import date

from contracts.cut import Cut
from contracts.expected import Expected
from contracts.store import Store
from features.view import FeatureView


class MatrixMissing(Expected, LookupError):
    """Sessions are not materialised at this snapshot; the message names the verb to run."""


def first_session(
    store: Store, universe: str, view_hash: str, snapshot: int | None = None
) -> date | None:
    """The first session that is written of a view, at one snapshot or at any; None before any."""
    at_one, values = ("", []) if snapshot is None else (" AND snapshot = %s", [snapshot])
    found = store.query(
        "SELECT min(session) AS first FROM materialisations WHERE view_hash = %s "
        f"AND universe = %s{at_one}",
        [view_hash, universe, *values],
    )
    first = found["first"][0].as_py()
    return first if isinstance(first, date) else None


def require_first(store: Store, cut: Cut, view: FeatureView) -> date:
    """The first session that is written of a view at the cut's snapshot; raises MatrixMissing."""
    universe, snapshot = cut.universe.name, cut.snapshot
    first = first_session(store, universe, view.hash, snapshot)
    if first is None:
        raise MatrixMissing(
            f"no session of {universe} is materialised at snapshot {snapshot}: run "
            f"`python -m features materialise --view {view.name} --universe {universe} "
            f"--first D --last {cut.last} --snapshot {snapshot}`"
        )
    return first
