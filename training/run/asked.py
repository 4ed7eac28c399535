"""What a training is about: `python -m training inputs | view | experts`, before its steps."""

from datetime import date
from typing import Annotated

import orjson
import typer

from contracts import universe as universes
from contracts import verbs
from contracts.store import Store, open_store
from features import view as views
from training import recipe as recipes
from training.recipe import DEFAULT
from training.run.scope import text_model_today
from training.samples.samples import TrainingError

Recipe = Annotated[str, typer.Option(help="recipe of the run")]


def view(recipe: Recipe = DEFAULT) -> None:
    """Print the recipe's feature view."""
    typer.echo(recipes.recipe(recipe).view)


def experts(recipe: Recipe = DEFAULT) -> None:
    """Print the recipe's experts as a JSON list: one `fit` each."""
    typer.echo(orjson.dumps(recipes.recipe(recipe).experts).decode())


def inputs(
    recipe: Recipe = DEFAULT,
    universe: verbs.Universe = "",
    target: Annotated[str, typer.Option(help="its own recipe, in place of --recipe")] = "",
    first: verbs.First = None,
    session: verbs.Last = None,
    snapshot: verbs.Newest = None,
) -> None:
    """Print as JSON what a training is about: universe, sessions, recipe and what that reads.

    Without --first and --session: all sessions of which the snapshot holds bars.
    """
    store, about = open_store(), universes.universe(universe).name
    asked = recipes.recipe_of(target) if target else recipes.recipe(recipe)
    read = views.view(asked.view)
    if not (first and session):
        pinned = store.snapshot() if snapshot is None else snapshot
        begins, ends = held(store, about, read.interval, pinned)
        first, session = first or begins, session or ends
    found = {
        "universe": about,
        "recipe": asked.name,
        "target": asked.target,
        "view": asked.view,
        "text_model": text_model_today(store, read),
        "first": first,
        "session": session,
    }
    typer.echo(orjson.dumps(found).decode())


def held(store: Store, universe: str, interval: str, snapshot: int) -> tuple[date, date]:
    """The first and the last session of the universe's bars up to a snapshot; raises
    TrainingError."""
    found = store.query(
        "SELECT min(session) AS first, max(session) AS last FROM bars "
        "WHERE interval = %s AND load_id <= %s AND instrument_id IN (SELECT instrument_id "
        "FROM memberships WHERE universe = %s AND load_id <= %s)",
        (interval, snapshot, universe, snapshot),
    )
    first, last = found["first"][0].as_py(), found["last"][0].as_py()
    if first is None:
        raise TrainingError(
            f"universe {universe!r} has no bars of {interval} at snapshot {snapshot}: run the DAG "
            f"backfill_market, or `python -m etl load --universe {universe}`"
        )
    return first, last
