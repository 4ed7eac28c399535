"""Verbs of the ground: `python -m contracts migrate|revise|snapshot|ranges|config`."""

import json
from datetime import timedelta

import typer

from contracts import objects, verbs
from contracts import universe as universes
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import open_store
from contracts.time import calendar

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def migrate() -> None:
    """Bring the tables to the newest revision."""
    open_store().migrate()
    typer.echo("tables are up to date")


@app.command()
def revise(message: str) -> None:
    """Write the revision that takes the database to the declared tables."""
    from contracts.migrations.upgrade import revise as write

    write(settings().database, message)


@app.command()
def snapshot(
    run: str = typer.Option("", help="the run that keeps it: asked again, it gets the same"),
) -> None:
    """Print the newest load id: pass it as --snapshot to pin what a run may see."""
    newest, key = open_store().snapshot(), f"snapshots/{run}"
    if run and objects.exists(key):
        # A database made anew has not seen what the run saw.
        newest = min(newest, int(objects.get(key)))
    elif run:
        objects.put(key, str(newest).encode())
    typer.echo(newest)


@app.command()
def ranges(
    first: verbs.Session,
    last: verbs.Session,
    sessions: int = typer.Option(..., min=1, help="sessions of one range"),
    universe: verbs.Universe = "",
) -> None:
    """Print the days from first to last as a JSON list of ranges {first, last} of sessions.

    A range ends the day before the next begins, so that sessions which a folder states beside the
    calendar lie in one of them.
    """
    about = universes.universe(universe)
    try:
        days = Cut(about, first, last, 0).sessions
    except calendar.CalendarError as error:
        raise typer.BadParameter(str(error)) from error
    if not days:
        raise typer.BadParameter(
            f"--first {first} to --last {last} holds no session of "
            f"{about.calendar}: the first session comes first"
        )
    begins = days[::sessions]
    ends = [*(day - timedelta(days=1) for day in begins[1:]), last]
    parts = [{"first": str(b), "last": str(e)} for b, e in zip(begins, ends, strict=True)]
    typer.echo(json.dumps(parts))


@app.command()
def config() -> None:
    """Print every setting with its value; secrets are masked."""
    for name, value in settings().model_dump().items():
        typer.echo(f"FINPULSE_{name.upper()}={value}")


@app.command()
def doctor() -> None:
    """Check what a run needs, and print a mend for each fault; exit 1 when a need is not met."""
    from contracts.doctor import examine

    findings = examine()
    for finding in findings:
        typer.echo(f"{'ok   ' if finding.well else 'FAULT'} {finding.need}: {finding.found}")
        if not finding.well:
            typer.echo(f"      mend: {finding.mend}")
    if any(finding.required and not finding.well for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Run a verb; what is expected to fail fails with one line."""
    verbs.run(app)


if __name__ == "__main__":
    main()
