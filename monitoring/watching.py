"""Verbs about champions that are watched: `python -m monitoring alarms | earlier`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from contracts import universe as universes
from contracts import verbs
from contracts.champion import Office, offices
from contracts.cut import Cut
from contracts.store import Store, open_store

NOBODY = "nobody"


def alarms(session: verbs.Session, snapshot: verbs.Snapshot, universe: verbs.Universe = "") -> None:
    """Ask every alarm family about each champion; print the number that alarm."""
    cut, store = Cut.at(universes.universe(universe), session, snapshot), open_store()
    known = offices(store, cut.universe.name)
    if not known:
        typer.echo(f"{cut.universe.name} has no champion yet: nobody to watch", err=True)
    typer.echo(sum(verbs.each(known, lambda office: _alarms(store, office, cut))))


def _alarms(store: Store, office: Office, cut: Cut) -> int:
    from monitoring.watch.rounds import watch

    typer.echo(f"{office} at {cut.last}")
    found = watch(store, office, cut, datetime.now(UTC))
    for one in found:
        typer.echo(one.words)
    return sum(one.alarm for one in found)


def earlier(
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    universe: verbs.Universe = "",
    target: Annotated[str, typer.Option(help="default: the universe's only target")] = "",
    judge: Annotated[bool, typer.Option("--judge", help="name who is better, and no more")] = False,
) -> None:
    """Try an office's earlier champions on the newest settled rows, before anything is trained.

    The last line is the bundle of one that is surely better and comes back, or `nobody`. With
    --judge it is told as `rollout --begin` and that bundle, for a person to do.
    """
    from monitoring.watch import earlier as former
    from training.office.ledger import office_of

    cut, store = Cut.at(universes.universe(universe), session, snapshot), open_store()
    name = cut.universe.name
    office = Office(name, target) if target else office_of(store, name)
    tried, back = former.earlier(store, office, cut, datetime.now(UTC), judge=judge)
    for one in tried:
        typer.echo(one.words)
    if judge and back:
        typer.echo(f"for a person: python -m monitoring rollout --universe {name} --begin {back}")
    typer.echo(NOBODY if judge else back or NOBODY)
