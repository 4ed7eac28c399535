"""Verbs of serving: `python -m serving run | predict | catch-up | ask | document`."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

import typer

from contracts import universe as universes
from contracts import verbs
from contracts.champion import Champion, Office
from contracts.cut import Cut
from contracts.database.connection import LIVE
from contracts.settings import settings
from contracts.store import Store, open_store

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def run(
    workers: int | None = typer.Option(None, min=1, help="default: FINPULSE_PREDICTOR_WORKERS"),
    reload: bool = typer.Option(False, "--reload", help="start anew when the code changes"),
) -> None:
    """Serve the champion's forecasts over HTTP until stopped; logs are JSON lines on stderr."""
    from contracts.logs import json_logs
    from serving.edge.old_names import adopt, require_seen

    json_logs()
    adopt(os.environ)
    if reload:
        _run_anew_when_code_changes()
        return
    from contracts.listener import listen
    from serving.edge.workers import Group

    chosen = settings()
    count = workers or chosen.predictor_workers
    listener = listen(chosen.host, chosen.predictor_port, "FINPULSE_PREDICTOR_PORT")
    folder = chosen.home.absolute() / f"predictor-{chosen.predictor_port}"
    with _shared_metrics(folder) if count > 1 else nullcontext():
        from serving.app import create_app
        from serving.edge.access import Access
        from serving.edge.origins import parse_origins

        store = open_store(LIVE)
        require_seen(os.environ, partial(_windows, store))
        access = Access.of(chosen.api_keys.get_secret_value(), chosen.api_quota)
        origins = parse_origins(chosen.cors_origins)
        make = partial(create_app, store, chosen.universe, access=access, origins=origins)
        Group(listener, make, count, chosen.drain_seconds).run()


def _windows(store: Store) -> Iterator[int]:
    from contracts.champion import champion, offices
    from training.bundle import bundle

    held = [champion(store, office) for office in offices(store)]
    yield from (bundle.load(each.bundle).manifest.window for each in held if each)


def _run_anew_when_code_changes() -> None:
    from watchfiles import PythonFilter, run_process

    arguments = [argument for argument in sys.argv[1:] if argument != "--reload"]
    root = Path(__file__).resolve().parents[1]
    packages = [root / name for name in ("contracts", "features", "training", "serving")]
    command = shlex.join([sys.executable, "-m", "serving", *arguments])
    run_process(*packages, target=command, target_type="command", watch_filter=PythonFilter())


@contextmanager
def _shared_metrics(folder: Path) -> Iterator[None]:
    """A folder in which the workers' numbers meet; prometheus_client asks for its name once."""
    # Left behind by one that was killed: the port says that it is ours.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@app.command()
def predict(
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    universe: verbs.Universe = "",
    catch_up: int | None = typer.Option(
        None, min=1, help="sessions up to this one that are looked at; FINPULSE_REPLAY_SESSIONS"
    ),
    target: str = typer.Option(
        "", help="what is foretold, names between commas; default: all that has a champion"
    ),
) -> None:
    """Record what each champion of a universe says of a session and of those before without.

    The challenger of an office is asked after its champion, as long as its release goes on, and
    then the champion of before for four weeks: the gate compares them.
    """
    from contracts.champion import offices

    store, about = open_store(), universes.universe(universe)
    cut = Cut.at(about, session, snapshot).back(catch_up or settings().replay_sessions)
    wanted = target.split(",")
    known = [o for o in offices(store, about.name) if not target or o.target in wanted]
    if not known:
        what = f"{about.name}/{target}" if target else about.name
        typer.echo(f"{what} has no champion yet: nothing to forecast with", err=True)
    typer.echo(sum(verbs.each(known, lambda office: _forecast(store, office, cut))))


def _forecast(store: Store, office: Office, cut: Cut) -> int:
    from contracts.champion import champion
    from serving import batch

    held = champion(store, office)
    if held is None:
        return 0
    added = _said(store, held, cut, batch.LIVE)
    for who, origin in _beside(store, office):
        try:
            added += _said(store, who, cut, origin)
        except Exception as error:  # The gate finds it without forecasts; a market's day goes on.
            typer.echo(f"{who.bundle[:12]}, beside the champion of {office}: {error}", err=True)
    return added


def _beside(store: Store, office: Office) -> Iterator[tuple[Champion, str]]:
    """Who is held against the champion: a challenger, or the one before a release."""
    from contracts.champion import reign
    from contracts.release.rollout import newest
    from serving import batch

    for release in newest(store, office.universe):
        if release.office != office:
            continue
        if release.staged:
            origin = batch.SHADOW if release.stage == "shadow" else batch.LIVE
            yield release.challenger, origin
        elif release.guarded(datetime.now(UTC)):
            former = (one for one in reign(store, office) if one.bundle == release.champion)
            yield from ((one, batch.SHADOW) for one in islice(former, 1))


def _said(store: Store, who: Champion, cut: Cut, origin: str) -> int:
    from serving import batch
    from training.bundle import bundle

    loaded = bundle.load(who.bundle)
    added = batch.predict(store, who, loaded, cut, datetime.now(UTC), origin)
    typer.echo(f"version {who.model_version} of {who.model_name}: {added} forecasts added")
    return added


@app.command("catch-up")
def catch_up() -> None:
    """Record the forecasts of champions that a person chose: of the newest sessions, once each."""
    from contracts.gap import gaps

    store, back = open_store(), settings().replay_sessions
    # Each names the newest session: where another took office meanwhile, that one forecasts it.
    missed = {gap.office: gap for gap in gaps(store)}

    def caught_up(office: Office) -> int:
        gap = missed[office]
        cut = Cut.at(universes.universe(gap.universe), gap.session, gap.snapshot)
        return _forecast(store, office, cut.back(back))

    typer.echo(sum(verbs.each(missed, caught_up)))


@app.command()
def ask(symbol: str, universe: verbs.Universe = "") -> None:
    """Print what each champion of a universe foretells of a symbol, in words."""
    from serving.served.spoken import spoken

    for line in spoken(open_store(), universe or settings().universe, symbol):
        typer.echo(line)


@app.command()
def document(
    folder: Path = typer.Option(Path("docs/openapi"), help="where each version has its file"),
) -> None:
    """Write the OpenAPI document into the file of its version, which is written once."""
    from serving.document import publish

    typer.echo(publish(folder))


def main() -> None:
    """Run a verb; what is expected to fail fails with one message."""
    verbs.run(app)


if __name__ == "__main__":
    main()
