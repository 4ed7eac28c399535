"""From facts to a matrix: `python -m features materialise | describe`."""

import sys
from datetime import date
from typing import Annotated

import typer

from contracts.calendar import NotASession
from contracts.registry import UnknownMember
from contracts.settings import SettingsError, settings
from contracts.store import StoreUnavailable, open_store
from features import matrix, views
from features.facts import NoFacts

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

View = Annotated[str, typer.Option(help="feature view, see features/views.py")]
Universe = Annotated[str, typer.Option(help="default: FINPULSE_UNIVERSE")]
First = Annotated[str, typer.Option(help="first session")]
Last = Annotated[str, typer.Option(help="last session; default: the first")]
Session = Annotated[str, typer.Option(help="one session: the same as --first and --last")]
Snapshot = Annotated[int | None, typer.Option(help="newest load to see; default: the newest")]

_FAILURES = (
    NoFacts,
    NotASession,
    StoreUnavailable,
    SettingsError,
    UnknownMember,
    matrix.TextUnscored,
)


@app.command()
def materialise(
    view: View = "daily_1",
    universe: Universe = "",
    first: First = "",
    last: Last = "",
    session: Session = "",
    snapshot: Snapshot = None,
) -> None:
    """Write the view's features of the sessions that have none at this snapshot."""
    begin = _day(first or session)
    end = _day(last or session or first)
    store, chosen = open_store(), views.view(view)
    pinned = store.snapshot() if snapshot is None else snapshot
    asked = universe or settings().universe
    typer.echo(f"view {view} ({chosen.hash}) of {asked}, {begin} to {end}")
    written = matrix.materialise(store, chosen, asked, begin, end, pinned)
    typer.echo(f"{written} sessions materialised at snapshot {pinned}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"expected --first and --last, or --session, as 2025-06-30, found {text!r}"
        ) from None


@app.command()
def describe(view: View = "daily_1") -> None:
    """Print the view's features with their units and lookbacks, then its hash and label."""
    chosen = views.view(view)
    for feature in chosen.members:
        typer.echo(f"{feature.name:<18} {feature.unit:<8} {feature.lookback:>4} rows")
    typer.echo(f"{chosen.name} {chosen.hash} {chosen.label.name}")


def main() -> None:
    """Run a verb; what is expected to fail fails with one message."""
    try:
        app()
    except _FAILURES as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
