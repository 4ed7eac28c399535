"""Verbs about who is in office: `python -m training rollback | register | report`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from contracts import universe as universes
from contracts import verbs
from contracts.store import open_store

Target = Annotated[str, typer.Option(help="what is foretold; default: the universe's only target")]


def rollback(
    reason: Annotated[str, typer.Option(help="why, for the ledger")],
    universe: verbs.Universe = "",
    target: Target = "",
    bundle: Annotated[str, typer.Option(help="who is to leave, or its first digits")] = "",
) -> None:
    """Put the champion before the one that is to leave back, after checking that it loads."""
    from training.office.ledger import office_of, require_champion
    from training.steps.rollback import roll_back

    store = open_store()
    asked = office_of(store, universes.universe(universe).name, target)
    if not bundle:
        # Without a name, a repeat of a rollback would go back twice.
        in_office = require_champion(store, asked)
        leaving = in_office.bundle[:12]
        raise typer.BadParameter(f"name who is to leave: --bundle {leaving} is in office")
    back = roll_back(store, asked, bundle, reason, datetime.now(UTC))
    if back is None:
        typer.echo(f"{bundle} is not in office: nothing to roll back")
    else:
        typer.echo(f"champion of {asked}: {back.bundle} (version {back.model_version})")


def register(universe: verbs.Universe = "", target: Target = "") -> None:
    """Let MLflow show the champion: registered again if it was lost there, alias and all."""
    from training.office.ledger import office_of, show

    store = open_store()
    asked = office_of(store, universes.universe(universe).name, target)
    shown = show(store, asked)
    typer.echo(f"champion of {asked}: {shown.bundle}")


def report(universe: verbs.Universe = "", target: Target = "") -> None:
    """Show evidence beside its baselines, the newest contest's decision and the champion.

    Of each target that the universe has a champion for, or of one; `--target sentiment` is the
    office of reading texts.
    """
    from rich.console import Console

    from contracts.champion import SENTIMENT, offices
    from training.finetune import shown
    from training.steps.report import WIDTH, tables

    if target == SENTIMENT.target:
        for table in shown.tables(open_store()):
            Console(width=WIDTH).print(table)
        return
    store, asked = open_store(), universes.universe(universe).name
    known = [office for office in offices(store, asked) if target in ("", office.target)]
    if not known:
        what = f"{asked}/{target}" if target else asked
        typer.echo(f"{what} has no champion yet: nothing to report", err=True)
    for office in known:
        for table in tables(store, office, datetime.now(UTC)):
            Console(width=WIDTH).print(table)
