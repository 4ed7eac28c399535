"""Verbs beside the daily path: replay minutes, reload refused rows, tell what is missing."""

from datetime import date
from typing import Annotated

import typer

from contracts.settings import settings
from contracts.store import open_store

Universe = Annotated[str, typer.Option(help="default: FINPULSE_UNIVERSE")]


def day(text: str) -> date:
    """A session given on the command line; raises BadParameter."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"expected a session such as 2025-06-30, found {text!r}") from None


def replay(
    session: Annotated[str, typer.Option(help="the simulated session")],
    universe: Universe = "",
    speed: Annotated[float, typer.Option(min=0, help="times real time; 0: without waiting")] = 0.0,
) -> None:
    """Append the minute bars of a simulated session as they would have come in."""
    from etl import replay as player

    given, store = settings(), open_store()
    added = 0
    parts = player.replay(store, given, universe or given.universe, day(session), speed)
    for rows, dropped in parts:
        added += rows
        typer.echo(f"{rows} minutes added, {dropped} there already", err=True)
    typer.echo(f"{added} minute bars added at snapshot {store.snapshot()}")
