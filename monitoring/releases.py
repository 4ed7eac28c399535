"""Verbs about releases: `python -m monitoring rollout | compare | canary`."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from contracts import universe as universes
from contracts import verbs
from contracts.champion import Office
from contracts.release.rollout import HOLD, PROMOTE, ROLLBACK, Rollout, staged
from contracts.store import Store, open_store

if TYPE_CHECKING:
    from monitoring.release.gate import Evaluation

# What the shell learns: go on; not yet, ask again (EX_TEMPFAIL of sysexits.h); it is out.
CODES = {PROMOTE: 0, HOLD: 75, ROLLBACK: 1}


def _word(text: str) -> str:
    if not text.strip():
        raise typer.BadParameter("expected a word, found an empty one: leave the option out")
    return text.strip()


Target = Annotated[str, typer.Option(help="what is foretold; default: the one that is staged")]
Begin = Annotated[
    str | None, typer.Option(parser=_word, metavar="BUNDLE", help="begin a release of this bundle")
]
Abort = Annotated[
    str | None,
    typer.Option(parser=_word, metavar="REASON", help="end the release, for this reason"),
]
EveryUniverse = Annotated[
    bool, typer.Option(help="once for each universe; exits with 0 whatever is decided")
]
Every = Annotated[
    float, typer.Option(min=0.0, help="ask again after so many seconds until it is in or out")
]


def rollout(
    universe: verbs.Universe = "",
    target: Target = "",
    begin: Begin = None,
    abort: Abort = None,
    every: Every = 0.0,
    every_universe: EveryUniverse = False,
) -> None:
    """Evaluate the staged challenger once and act on it: PROMOTE, HOLD or ROLLBACK.

    The last line is that word; the exit code is 0, 75 or 1. Where nobody is staged any more, the
    champion that came into office by a release is held against the one before it.
    """
    from monitoring.release.gate import under_way
    from monitoring.release.guard import guarded

    if begin and abort:
        raise typer.BadParameter("expected one of --begin and --abort, found both")
    store = open_store()
    if every_universe:
        _every(store)
        return
    name = universes.universe(universe).name
    if begin:
        _begin(store, name, begin)
        return
    after = [] if staged(store, name) else guarded(store, name, datetime.now(UTC))
    if after and not abort:
        held = [_guard(store, one) for one in after if target in ("", one.target)]
        raise typer.Exit(CODES[PROMOTE if all(held) else ROLLBACK])
    release = under_way(store, name, target)
    if abort:
        _abort(store, release, abort)
        return
    found = _evaluate(store, release)
    while every and found.after.staged:
        if found.verdict == HOLD:
            time.sleep(every)
        found = _evaluate(store, found.after)
    raise typer.Exit(CODES[found.after.verdict])


def _every(store: Store) -> None:
    from monitoring.release.guard import guarded

    after = {str(one.office): one for one in guarded(store, "", datetime.now(UTC))}
    under_way = {str(one.office): one for one in staged(store)}
    verbs.each(after, lambda office: _guard(store, after[office]))
    done = verbs.each(under_way, lambda office: _evaluate(store, under_way[office]))
    typer.echo(f"{len(done)} releases evaluated")


def _guard(store: Store, release: Rollout) -> bool:
    """Whether the champion stays."""
    from monitoring.release.check import table
    from monitoring.release.guard import guard

    found = guard(store, release, datetime.now(UTC))
    typer.echo(f"{release.office}: {release.bundle[:12]} after {release.champion[:12]}")
    for line in table(found.checks):
        typer.echo(line)
    typer.echo(found.after.reason if found.after else "it stays in office")
    typer.echo(ROLLBACK if found.after else PROMOTE)
    return found.after is None


def _evaluate(store: Store, release: Rollout) -> "Evaluation":
    from monitoring.release.check import table
    from monitoring.release.gate import evaluate

    found = evaluate(store, release, datetime.now(UTC))
    after = found.after
    typer.echo(f"{release.office}: {release.bundle[:12]} beside {release.champion[:12]}")
    for line in table(found.checks):
        typer.echo(line)
    typer.echo(after.reason)
    typer.echo(f"{release.stage} {release.share:.0%} -> {after.stage} {after.share:.0%}")
    typer.echo(after.verdict)
    return found


def _begin(store: Store, universe: str, bundle_hash: str) -> None:
    from training.bundle.bundle import manifest_of
    from training.office.staging import begin
    from training.run.records import Fit

    office = Office(universe, manifest_of(bundle_hash).target)
    first = begin(store, office, Fit("", bundle_hash, 0), "begun by hand", datetime.now(UTC))
    typer.echo(f"{office}: {first.bundle} is staged in {first.stage} beside {first.champion[:12]}")
    typer.echo(first.rollout_id)


def _abort(store: Store, release: Rollout, reason: str) -> None:
    from training.office.staging import Step, take

    take(store, release, Step(ROLLBACK, "out", 0.0, reason), datetime.now(UTC))
    typer.echo(f"{release.office}: {release.bundle[:12]} is out: {reason}")
    typer.echo(ROLLBACK)


def compare(
    bundles: Annotated[str, typer.Option(metavar="A,B", help="two bundles, or their beginnings")],
    universe: verbs.Universe = "",
    target: Target = "",
) -> None:
    """Compare two bundles' settled forecasts of the same rows, session by session.

    It may be asked every day and stopped at any: what it says holds at all times together.
    """
    from monitoring.release.report import named, report

    store = open_store()
    first, second, office = named(store, universes.universe(universe).name, target, bundles)
    for line in report(store, office, first, second):
        typer.echo(line)


def canary(
    seconds: Annotated[float, typer.Option(min=5, help="how far back callers are counted")] = 300.0,
) -> None:
    """Hold the pods of a new image against those in office: PROMOTE, HOLD or ROLLBACK.

    The last line is that word; the exit code is 0, 75 or 1. Nothing is written and nobody moved:
    the workflow `deploy` asks, and acts.
    """
    from monitoring.release.check import table, verdict
    from monitoring.release.deployments import checks

    found = checks(seconds)
    for line in table(found):
        typer.echo(line)
    word = verdict(found)
    typer.echo(word)
    raise typer.Exit(CODES[word])
