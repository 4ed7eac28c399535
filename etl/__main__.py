"""From the world to the facts: `python -m etl collect | clean | gate | append | load | extent`.

Beside that path: `replay`, `redrive`, `coverage`, `sessions`.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from contracts import universe as universes
from contracts import verbs
from contracts.settings import settings
from contracts.store import open_store
from contracts.universe import Universe
from etl import load as loading
from etl import maintenance
from etl.account import told
from etl.batch import retention as pruning
from etl.batch.batch import Batch, manifest
from etl.quality import clean as cleaning
from etl.quality import gate as quality
from etl.quality.findings import lines
from etl.quality.spark import WORTH_ROWS, spark_judge
from etl.source import SOURCES

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Source = Annotated[str, typer.Option(help="member of etl/sources; default: FINPULSE_SOURCE")]
Through = Annotated[
    date | None, typer.Option(parser=verbs.day, help="session that a made market is to reach")
]
InProcess = Annotated[
    bool | None,
    typer.Option("--in-process/--spark", help="where to clean; default: Spark for large batches"),
]


def _asked(source: str, universe: str) -> tuple[str, Universe]:
    """The source and the universe that are meant: one that is given says what the other is."""
    given = settings()
    if source and source != given.source and not universe:
        universe = "sim20" if source == "simulated" else source
    about = universes.universe(universe)
    return source or about.source() or given.source, about


def _batch(
    source: str, universe: str, first: date | None, last: date | None, session: date | None
) -> Batch:
    chosen, about = _asked(source, universe)
    first, last = first or session, last or session
    if first is None or last is None:
        begin, end = SOURCES.get(chosen).extent(about, settings(), datetime.now(UTC))
        first, last = first or begin, last or end
    batch = Batch(chosen, about.name, first, last)
    if first > last:
        raise typer.BadParameter(f"--first {first} lies after --last {last}")
    return batch


def _collect(batch: Batch) -> None:
    held = loading.collect(batch, settings(), datetime.now(UTC))
    for line in told(held.account):
        typer.echo(line)
    rows = ", ".join(f"{count} {name}" for name, count in held.rows.items())
    typer.echo(f"collected {batch} ({batch.id}): {rows}")


def _clean(batch: Batch, in_process: bool | None) -> None:
    given, raw = settings(), sum(manifest(batch).rows.values())
    spark = spark_judge(given.spark_master, given.objects)
    here = raw < WORTH_ROWS if in_process is None else in_process
    typer.echo(f"{raw} raw rows are cleaned {'in this process' if here else 'in Spark'}")
    with nullcontext(cleaning.in_process) if here else spark as judge:
        counts = cleaning.clean(open_store(), batch, judge)
    rows = ", ".join(f"{c.staged} {name} ({c.refused} refused)" for name, c in counts.items())
    _tell(batch)
    typer.echo(f"staged {rows}")


def _tell(batch: Batch) -> None:
    for line in lines(open_store(), batch):
        typer.echo(f"  {line}")


def _gate(batch: Batch) -> None:
    held, url = quality.check(open_store(), batch, settings().home)
    typer.echo(f"{held} expectations held")
    _tell(batch)
    typer.echo(f"data docs: {url}")


def _append(batch: Batch) -> None:
    store = open_store()
    for name, load in loading.append(store, batch).items():
        typer.echo(f"{name}: {load.added} added, {load.dropped} there already")
    _tell(batch)
    pruning.appended(batch)
    pruning.prune(store, datetime.now(UTC))
    typer.echo(store.snapshot())


@app.command()
def collect(
    source: Source = "",
    universe: verbs.Universe = "",
    first: verbs.First = None,
    last: verbs.Last = None,
    session: verbs.One = None,
) -> None:
    """Ask the source and keep its raw answer."""
    _collect(_batch(source, universe, first, last, session))


@app.command()
def clean(
    source: Source = "",
    universe: verbs.Universe = "",
    first: verbs.First = None,
    last: verbs.Last = None,
    session: verbs.One = None,
    in_process: InProcess = None,
) -> None:
    """Put the raw rows through the rules into staging tables; refused ones go to `rejected`."""
    _clean(_batch(source, universe, first, last, session), in_process)


@app.command()
def gate(
    source: Source = "",
    universe: verbs.Universe = "",
    first: verbs.First = None,
    last: verbs.Last = None,
    session: verbs.One = None,
) -> None:
    """Validate the staging tables; a failed expectation fails the task."""
    _gate(_batch(source, universe, first, last, session))


@app.command()
def append(
    source: Source = "",
    universe: verbs.Universe = "",
    first: verbs.First = None,
    last: verbs.Last = None,
    session: verbs.One = None,
) -> None:
    """Append the staged rows to the facts and print the snapshot."""
    _append(_batch(source, universe, first, last, session))


@app.command()
def load(
    source: Source = "",
    universe: verbs.Universe = "",
    first: verbs.First = None,
    last: verbs.Last = None,
    session: verbs.One = None,
    in_process: InProcess = None,
) -> None:
    """Collect, clean, gate and append in one process; print the snapshot."""
    batch = _batch(source, universe, first, last, session)
    steps: dict[str, Callable[[], None]] = {
        "collect": lambda: _collect(batch),
        "clean": lambda: _clean(batch, in_process),
        "gate": lambda: _gate(batch),
        "append": lambda: _append(batch),
    }
    for name, step in steps.items():
        started = time.monotonic()
        step()
        typer.echo(f"{name} took {time.monotonic() - started:.1f} s", err=True)


@app.command()
def extent(source: Source = "", universe: verbs.Universe = "", through: Through = None) -> None:
    """Print the first and the last session that the source can deliver."""
    chosen, about = _asked(source, universe)
    reach = SOURCES.get(chosen).extent(about, settings(), datetime.now(UTC), through)
    typer.echo("{} {}".format(*reach))


for beside in (maintenance.replay, maintenance.redrive, maintenance.coverage, maintenance.sessions):
    app.command()(beside)


def main() -> None:
    """Run a verb; what is expected to fail fails with one message."""
    verbs.run(app)


if __name__ == "__main__":
    main()
