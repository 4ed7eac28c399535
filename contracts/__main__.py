"""Verbs of the ground: `python -m contracts migrate | revise | snapshot | config`."""

import typer

from contracts.settings import settings
from contracts.store import open_store

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
def snapshot() -> None:
    """Print the newest load id: pass it as --snapshot to pin what a run may see."""
    typer.echo(open_store().snapshot())


@app.command()
def config() -> None:
    """Print every setting with its value; secrets are masked."""
    for name, value in settings().model_dump().items():
        typer.echo(f"FINPULSE_{name.upper()}={value}")


if __name__ == "__main__":
    app()
