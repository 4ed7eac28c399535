"""Verbs beside the daily path: replay minutes, reload refused rows, tell what is missing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from contracts import universe as universes
from contracts import verbs
from contracts.settings import settings
from contracts.store import open_store
from contracts.tables import TRADING_SESSIONS
from contracts.time.calendar import known
from etl.source import SOURCES


def replay(
    session: verbs.Session,
    universe: verbs.Universe = "",
    speed: Annotated[float, typer.Option(min=0, help="times real time; 0: without waiting")] = 0.0,
) -> None:
    """Append the minute bars of a simulated session as they would have come in."""
    from etl import replay as player

    about, store = universes.universe(universe), open_store()
    added = 0
    parts = player.replay(store, settings(), about, session, speed)
    for rows, dropped in parts:
        added += rows
        typer.echo(f"{rows} minutes added, {dropped} there already", err=True)
    typer.echo(f"{added} minute bars added at snapshot {store.snapshot()}")


def redrive(
    table: Annotated[str, typer.Option(help="only rows refused of this table")] = "",
    source: Annotated[str, typer.Option(help="only rows of this source")] = "",
    reason: Annotated[str, typer.Option(help="only reasons that begin so")] = "",
    mend: Annotated[
        list[str] | None, typer.Option("--set", help="column=value, in place of what was refused")
    ] = None,
) -> None:
    """Judge refused rows again, and append those that pass by now."""
    from etl.quality import redrive as second

    mends = dict(_mend(text) for text in mend or ())
    chosen = second.Choice(table, source, reason)
    done = second.redrive(open_store(), chosen, mends, datetime.now(UTC))
    for name, found in done.items():
        refused = sum(found.refused.values())
        typer.echo(f"{name}: {found.added} added, {found.present} there, {refused} refused")
        for why, count in sorted(found.refused.items()):
            typer.echo(f"  {count} {why}")
    typer.echo(f"{sum(found.added for found in done.values())} rows added")


def _mend(text: str) -> tuple[str, str]:
    column, sign, value = text.partition("=")
    if not sign:
        raise typer.BadParameter(f"expected --set column=value, found {text!r}")
    return column, value


def sessions(
    file: Annotated[Path, typer.Argument(help="in the form of sessions.csv, docs/files_layout.md")],
    source: Annotated[
        str, typer.Option(help="whose facts they join; default: FINPULSE_SOURCE")
    ] = "",
    universe: Annotated[
        str, typer.Option(help="on whose calendar rows are that name none; FINPULSE_UNIVERSE")
    ] = "",
) -> None:
    """Add sessions to calendars, or take some from them, for all who ask the database."""
    from etl.folder.trading_sessions import judged

    given, now = settings(), datetime.now(UTC)
    good, refused = judged(file, universes.universe(universe).calendar, now)
    for row in refused.to_pylist():
        typer.echo(f"refused {row['calendar']} {row['session']}: {row['reason']}", err=True)
    origin = SOURCES.get(source or given.source).provenance("sessions", given)
    load = open_store().append(TRADING_SESSIONS, good, origin, now)
    typer.echo(f"{load.added} added, {load.dropped} there already, {refused.num_rows} refused")
    if refused.num_rows:
        raise typer.Exit(1)


def coverage(
    universe: verbs.Universe = "",
    first: verbs.First = None,
    last: verbs.Last = None,
) -> None:
    """List the sessions that lack a daily bar, symbol by symbol.

    From each membership's begin and to the newest session with a bar, unless others are asked for.
    """
    from etl.quality import coverage as report

    store, now = open_store(), datetime.now(UTC)
    asked = universes.universe(universe).name
    until = last or report.newest(store, asked, now)
    found = list(report.coverage(store, asked, first, until, now))
    for row in found:
        held = row.expected - row.missing
        typer.echo(f"{row.symbol:<10} {row.calendar:<6} {held} of {row.expected} sessions")
        for begin, end, count in row.gaps:
            typer.echo(f"  missing {begin} to {end} ({count} sessions)")
        if row.unknown:
            reach = "{} to {}".format(*known(row.calendar))
            typer.echo(f"  {row.unknown} days lie beyond what {row.calendar} knows: {reach}")
    missing, expected = sum(r.missing for r in found), sum(r.expected for r in found)
    typer.echo(f"{missing} of {expected} sessions missing up to {until}")
