"""What is written of a view's matrices, as the table `materialisations` tells it."""

from datetime import date

from contracts.cut import Cut
from contracts.expected import Expected
from contracts.store import Store
from features.facts.text_model import in_use
from features.view import FeatureView


class MatrixMissing(Expected, LookupError):
    """Sessions are not materialised at this snapshot; the message names the verb to run."""


def scored_by(store: Store, view: FeatureView, text_model: str) -> str:
    """As `materialisations` names who scored the texts of the view's features.

    Empty where they read none, and where that model has scored nothing: it says what none does.
    """
    return in_use(store, text_model) if view.reads_sentiment else ""


def with_model(text_model: str) -> str:
    """The option that names a text model to `features materialise`."""
    return f" --text-model {text_model}" if text_model else ""


def first_session(
    store: Store, universe: str, view_hash: str, at: tuple[int, str] | None = None
) -> date | None:
    """The first session that is written of a view; None before any.

    at: at that snapshot by that text model alone, as `scored_by` names it.
    """
    at_one, values = ("", ()) if at is None else (" AND snapshot = %s AND text_model = %s", at)
    found = store.query(
        "SELECT min(session) AS first FROM materialisations WHERE view_hash = %s "
        f"AND universe = %s{at_one}",
        [view_hash, universe, *values],
    )
    first = found["first"][0].as_py()
    return first if isinstance(first, date) else None


def require_first(store: Store, cut: Cut, view: FeatureView, text_model: str = "") -> date:
    """The first session that is written of a view at the cut's snapshot; raises MatrixMissing."""
    universe, snapshot = cut.universe.name, cut.snapshot
    at = snapshot, scored_by(store, view, text_model)
    first = first_session(store, universe, view.hash, at)
    if first is None:
        raise MatrixMissing(
            f"no session of {universe} is materialised at snapshot {snapshot}: run "
            f"`python -m features materialise --view {view.name} --universe {universe} "
            f"--first D --last {cut.last} --snapshot {snapshot}{with_model(text_model)}`"
        )
    return first
