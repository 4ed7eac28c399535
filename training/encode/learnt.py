"""An encoder of a view's matrix, and what it loses of sessions that it never saw beside PCA."""

from datetime import UTC, datetime
from typing import Annotated

import numpy as np
import typer

from contracts import universe as universes
from contracts import verbs
from contracts.cut import Cut
from contracts.store import Store, open_store
from training.bundle.codes import Encoder
from training.bundle.history import History
from training.encoders.encoding import learn, register
from training.forecast import Values

encoders = typer.Typer()


def share_lost(made: Encoder, values: Values) -> float:
    """Which share of the squares of scaled rows (n, k) is lost on the way and back."""
    lost, whole = made.lost(values)
    return float(lost.sum() / whole.sum())


def rows_of(
    store: Store, cut: Cut, name: str
) -> tuple[tuple[str, ...], "np.typing.NDArray[np.datetime64]", Values]:
    """A view's features, and its rows by session: sessions (n,) and values (n, k)."""
    from features.matrix.matrix import load_matrix
    from features.view import view
    from training.run.scope import text_model_today

    chosen = view(name)
    found = load_matrix(store, cut, chosen, text_model_today(store, chosen), missing="write")
    _, history = History.of_matrix(found, chosen.features)
    order = np.argsort(history.days, kind="stable")
    return chosen.features, history.days[order], history.values[order]


@encoders.command()
def encoder(  # noqa: PLR0913, PLR0917
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    universe: verbs.Universe = "",
    view: Annotated[str, typer.Option(help="whose rows it learns")] = "market_3",
    kind: Annotated[str, typer.Option(help="pca or autoencoder")] = "autoencoder",
    width: Annotated[int, typer.Option(help="numbers that stand for a row", min=1)] = 8,
    held_out: Annotated[int, typer.Option(help="newest sessions that it is tried on")] = 120,
) -> None:
    """Learn an encoder of a view's rows up to a session, register it, and print its version.

    What it loses of the newest sessions, not having seen them, is told beside components of the
    same width; what is registered has learnt from all.
    """
    from features.matrix.receipts import require_first
    from features.view import view as views

    store, chosen = open_store(), views(view)
    cut = Cut.at(universes.universe(universe), session, snapshot)
    cut = cut.since(require_first(store, cut, chosen))
    features, days, values = rows_of(store, cut, view)
    until = np.unique(days)[-held_out - 1]
    for one in dict.fromkeys(("pca", kind)):
        older = values[days <= until]
        tried = learn(one, width, chosen.hash, features, (older, datetime.now(UTC)))
        share = share_lost(tried, values[days > until])
        typer.echo(f"{one}: {share:.1%} of {held_out} unseen sessions is lost", err=True)
    typer.echo(register(learn(kind, width, chosen.hash, features, (values, cut.end))))
