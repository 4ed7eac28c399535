"""Verbs of monitoring: `python -m monitoring settle | drift | alarms | export | rollout | ...`."""

from datetime import UTC, date, datetime
from typing import Annotated

import typer

from contracts import universe as universes
from contracts import verbs
from contracts.champion import Office
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store, open_store
from monitoring.releases import canary, compare, rollout
from monitoring.watching import alarms, earlier

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Sessions = Annotated[int | None, typer.Option(min=1, help="default: FINPULSE_REPLAY_SESSIONS")]


@app.command()
def settle(
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    universe: verbs.Universe = "",
    sessions: Sessions = None,
) -> None:
    """Record the truth of the last sessions' forecasts; a restated truth is a new version."""
    from monitoring.truth.settlement import settle as record

    cut = _cut(universe, session, snapshot, sessions)
    added = record(open_store(), cut, datetime.now(UTC))
    typer.echo(f"{cut.universe.name}: {added} outcomes added of forecasts since {cut.first}")
    typer.echo(added)


def _cut(universe: str, session: date, snapshot: int, sessions: int | None) -> Cut:
    one = Cut.at(universes.universe(universe), session, snapshot)
    return one.back(sessions or settings().replay_sessions)


@app.command()
def drift(
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    universe: verbs.Universe = "",
    sessions: Sessions = None,
) -> None:
    """Score how far the last sessions' features are from those each champion learnt from."""
    from contracts.champion import offices

    cut, store = _cut(universe, session, snapshot, sessions), open_store()
    known = offices(store, cut.universe.name)
    if not known:
        typer.echo(f"{cut.universe.name} has no champion yet: nothing to compare with")
        return
    alarms = [alarm for one in verbs.each(known, lambda o: _drift(store, o, cut)) for alarm in one]
    typer.echo(f"{sum(alarms)} alarms in {len(alarms)} scores")


def _drift(store: Store, office: Office, cut: Cut) -> list[bool]:
    from contracts.champion import champion
    from monitoring import feature_drift

    held = champion(store, office)
    if held is None:
        return []
    scores = feature_drift.drift(store, held.bundle, cut, datetime.now(UTC))
    typer.echo(f"{office}: features beside those that {held.bundle[:12]} learnt from")
    for row in scores.to_pylist():
        mark = "ALARM" if row["alarm"] else ""
        told = f"{row['score']:8.4f} of {row['threshold']:.4f} {mark}".rstrip()
        typer.echo(f"{row['test']:6} {row['feature']:24} {told}")
    return [bool(alarm) for alarm in scores["alarm"].to_pylist()]


@app.command()
def export() -> None:
    """Serve metrics to Prometheus and keep MLflow's alias and the ledger of one mind."""
    import signal

    from prometheus_client import make_asgi_app

    from contracts.database.connection import LIVE
    from contracts.listener import Server, listen
    from contracts.logs import json_logs
    from monitoring.export.exporter import Exporter
    from monitoring.office.airflow import Airflow
    from monitoring.office.wake import Waker
    from training.run.mlflow_api import Mlflow

    json_logs()
    chosen = settings()
    listener = listen(chosen.host, chosen.monitoring_port, "FINPULSE_MONITORING_PORT")
    # A signal ends the server, which raises it again when it has ended: that is the end we want.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    password = chosen.airflow_password.get_secret_value()
    airflow = Airflow(chosen.airflow, chosen.airflow_user, password) if password else None
    mlflow = Mlflow(chosen.mlflow, seconds=5)
    exporter = Exporter(open_store(LIVE), mlflow, Waker(airflow), chosen.universe)
    exporter.run()
    Server(make_asgi_app(exporter.registry), lifespan="off").run([listener])


app.command()(alarms)
app.command()(earlier)
app.command()(rollout)
app.command()(compare)
app.command()(canary)


@app.command()
def trim() -> None:
    """Drop answered calls older than FINPULSE_REQUEST_DAYS; print their number."""
    from contracts.database.connection import ASIDE
    from monitoring.export.exporter import trim as drop

    typer.echo(drop(open_store(ASIDE)))


def main() -> None:
    """Run a verb; what is expected to fail fails with one message."""
    verbs.run(app)


if __name__ == "__main__":
    main()
