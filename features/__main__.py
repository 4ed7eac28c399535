"""From facts to a matrix: `python -m features materialise | latest | describe | check`."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from contracts import universe as universes
from contracts import verbs
from contracts.champion import text_model as todays
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import open_store
from features import view as views
from features.engine import evaluate
from features.facts.text_model import latest_of
from features.feature import FEATURES
from features.guards import of_features, of_inputs, of_labels, page
from features.input import INPUTS
from features.label import LABELS
from features.matrix import matrix
from features.target import TARGETS

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

View = Annotated[str, typer.Option(help="feature view, see features/view.py")]
Views = Annotated[str, typer.Option("--view", help="feature views, separated by commas")]
Sessions = Annotated[int, typer.Option(min=1, help="sessions up to the last, in place of --first")]
TextModel = Annotated[
    str, typer.Option(help="version that scored the texts; default: FINPULSE_TEXT_MODEL's newest")
]
Count = Annotated[int, typer.Option(min=1, help="bars per instrument")]
AsOf = Annotated[str, typer.Option(help="a moment as 2025-06-30T15:00+00:00; default: now")]
All = Annotated[bool, typer.Option("--all", help="all features, as a page")]


class Engine(StrEnum):
    """What computes features: this process, or Spark's workers for long histories."""

    PROCESS = "process"
    SPARK = "spark"


Computed = Annotated[Engine, typer.Option("--engine", help="what computes the features")]


@app.command()
def materialise(
    view: Views = "daily_3",
    universe: verbs.Universe = "",
    first: verbs.First = None,
    last: verbs.Last = None,
    sessions: Sessions = 1,
    snapshot: verbs.Newest = None,
    text_model: TextModel = "",
    engine: Computed = Engine.PROCESS,
) -> None:
    """Write the views' features of the sessions that have none at this snapshot.

    Without --first it is the last session alone, without --last the first.
    """
    end = last or first
    if end is None:
        raise typer.BadParameter("expected --first or --last as 2025-06-30, found neither")
    store, chosen = open_store(), [views.view(name.strip()) for name in view.split(",")]
    pinned = store.snapshot() if snapshot is None else snapshot
    cut = Cut(universes.universe(universe), first or end, end, pinned)
    cut = cut.back(sessions) if sessions > 1 else cut
    if cut.first > end:
        raise typer.BadParameter(f"--first {cut.first} lies after --last {end}")
    model = text_model or latest_of(store, todays(store, settings().text_model))
    with _computing(engine) as compute:
        for one in chosen:
            typer.echo(f"view {one.name} ({one.hash}) of {cut.universe.name}, {cut.first} to {end}")
            written = matrix.materialise(store, cut, one, model, compute)
            typer.echo(f"{written} sessions materialised at snapshot {pinned}")


@contextmanager
def _computing(engine: Engine) -> Iterator[matrix.Engine]:
    if engine is Engine.PROCESS:
        yield evaluate
        return
    from features.distributed import evaluate_in_spark, spark_session

    master = settings().spark_master
    typer.echo(f"features are computed in Spark on {master}")
    with spark_session(master) as session:
        yield partial(evaluate_in_spark, session)


@app.command()
def latest(
    universe: verbs.Universe = "",
    count: Count = 60,
    as_of: AsOf = "",
    snapshot: verbs.Newest = None,
) -> None:
    """Print the last complete one-minute bars of each instrument, never the forming one."""
    from features.facts.latest import latest_bars

    store, moment = open_store(), _moment(as_of)
    pinned = store.snapshot() if snapshot is None else snapshot
    bars = latest_bars(store, universes.universe(universe), moment, count, pinned)
    for line in page.bar_lines(bars):
        typer.echo(line)
    full = int((bars.group_by("instrument_id").len()["len"] == count).sum())
    typer.echo(f"{full} instruments with {count} complete bars at {moment.isoformat()}")


def _moment(text: str) -> datetime:
    moment = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(text) if text else datetime.now(UTC)
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(
            f"expected --as-of with a time zone, as 2025-06-30T15:00+00:00, found {text!r}"
        )
    return moment


@app.command()
def describe(view: View = "daily_3", everything: All = False) -> None:
    """Print the view's features with their units and lookbacks, its hash, and a label of before."""
    if everything:
        typer.echo("\n".join(page.page()))
        return
    chosen = views.view(view)
    for feature in chosen.members:
        typer.echo(f"{feature.name:<22} {feature.unit:<8} {feature.lookback:>4} rows")
    typer.echo(f"{chosen.name} {chosen.hash}{f' {chosen.label.name}' if chosen.label else ''}")


@app.command()
def check() -> None:
    """Run all guards on every feature, label and panel input; exit 1 when one is broken."""
    features, labels, inputs = list(FEATURES), [member() for member in LABELS], list(INPUTS)
    typer.echo(f"{len(features)} features, guards: {', '.join(of_features.GUARDS)}")
    typer.echo(f"{len(labels)} labels, guards: {', '.join(of_labels.LABEL_GUARDS)}")
    typer.echo(f"{len(inputs)} panel inputs, guards: {', '.join(of_inputs.INPUT_GUARDS)}")
    found = of_features.broken(features)
    others = {rule.name: of_labels.label_broken(rule) for rule in labels}
    others |= {f"input {one.name}": of_inputs.input_broken(one) for one in inputs}
    for line in page.verdicts(features, found, others):
        typer.echo(line)
    breaches = sum(map(len, [*found.values(), *others.values()]))
    typer.echo(f"{breaches} breaches")
    if breaches:
        raise typer.Exit(1)


@app.command("compile")
def compile_kernels() -> None:
    """Compile what features and labels are computed with; later processes read it from the disk."""
    from contracts.time.amendments import stating
    from features.guards.trial import trial_panel

    # The database that a former set-up knew of may be stopped.
    with stating((), alone=True):
        panel = trial_panel()
        for view in views.views():
            for kind in ("float32", "float64"):
                evaluate(panel, view.members, dtype=kind)
        of_views = {view.label for view in views.views() if view.label}
        for label in of_views | {target.label for target in TARGETS}:
            label.settle(panel, label.basis(panel))


def main() -> None:
    """Run a verb; what is expected to fail fails with one message."""
    verbs.run(app)


if __name__ == "__main__":
    main()
