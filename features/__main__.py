"""Verbs of the features: `python -m features materialise | describe`."""

from datetime import datetime
from typing import Annotated

import typer

from contracts.settings import settings
from contracts.store import open_store
from features import matrix, views

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

View = Annotated[str, typer.Option(help="feature view")]
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])]


@app.command()
def materialise(
    first: Day,
    last: Day,
    view: View = "daily_0",
    universe: Annotated[str, typer.Option(help="default: the settings' universe")] = "",
    snapshot: Annotated[int, typer.Option(help="newest load to see; default: the newest")] = -1,
) -> None:
    """Write the view's features of the sessions that have none at this snapshot."""
    store, chosen = open_store(), views.view(view)
    pinned = store.snapshot() if snapshot < 0 else snapshot
    asked = universe or settings().universe
    typer.echo(f"{view} ({chosen.hash}) of {asked}, {first.date()} to {last.date()}")
    written = matrix.materialise(store, chosen, asked, first.date(), last.date(), pinned)
    typer.echo(f"{written} sessions materialised at snapshot {pinned}")


@app.command()
def describe(view: View = "daily_0") -> None:
    """Print the view's features with their units and lookbacks."""
    chosen = views.view(view)
    for feature in chosen.members:
        typer.echo(f"{feature.name:<18} {feature.unit:<8} {feature.lookback:>4} rows")
    typer.echo(f"{chosen.name} {chosen.hash} {chosen.label.name}")


if __name__ == "__main__":
    app()
