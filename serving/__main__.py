"""Verbs of serving: `python -m serving run | predict`."""

import sys
from datetime import UTC, datetime

import typer

from contracts.calendar import NotASession
from contracts.settings import SettingsError, settings
from contracts.store import StoreUnavailable, open_store
from training.bundle import BundleError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

# LookupError: facts, texts or matrices that an earlier verb has to bring.
_FAILURES = (SettingsError, StoreUnavailable, NotASession, BundleError, LookupError)


@app.command()
def run() -> None:
    """Serve the champion's forecasts over HTTP until stopped; logs are JSON lines on stderr."""
    import uvicorn

    from contracts.logs import json_logs
    from serving.app import create_app

    json_logs()
    chosen = settings()
    uvicorn.run(
        create_app(open_store(), chosen.universe),
        host=chosen.host,
        port=chosen.predictor_port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=15,
    )


@app.command()
def predict(
    session: datetime = typer.Option(..., formats=["%Y-%m-%d"], help="forecast at its close"),
    snapshot: int = typer.Option(..., help="newest load that may be seen"),
    universe: str = typer.Option("", help="default: FINPULSE_UNIVERSE"),
    catch_up: int | None = typer.Option(
        None, min=1, help="sessions up to this one that are looked at; FINPULSE_REPLAY_SESSIONS"
    ),
) -> None:
    """Record the champion's forecasts of a session and of those before it that have none."""
    from contracts.champion import champion
    from serving import batch
    from training import bundle

    store, name = open_store(), universe or settings().universe
    office = champion(store, name)
    if office is None:
        typer.echo(f"{name} has no champion yet: nothing to forecast with", err=True)
        typer.echo(0)
        return
    asked = batch.Run(name, session.date(), snapshot, catch_up or settings().replay_sessions)
    added = batch.predict(store, office, bundle.load(office.bundle), asked, datetime.now(UTC))
    typer.echo(f"version {office.model_version} of {office.model_name}: {added} forecasts added")
    typer.echo(added)


def main() -> None:
    """Run a verb; what is expected to fail fails with one message."""
    try:
        app()
    except _FAILURES as error:
        # A missing key is no missing fact: it is a fault of ours and shows where.
        if isinstance(error, KeyError | IndexError):
            raise
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
