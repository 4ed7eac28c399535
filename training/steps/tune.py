"""The tune step: which hyperparameters are tried, and which are kept."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from contracts import objects
from contracts.store import Store
from training.expert import EXPERTS
from training.recipe import Recipe
from training.run import records
from training.run.heard import training
from training.run.scope import Scope
from training.run.tracking import step
from training.run.trials import PLANNED
from training.steps.search import Task, Trial, search


def tune(
    store: Store, scope: Scope, trials: int, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Tune all experts of the recipe and keep the best; a kept tuning is used again.

    Returns what is kept: best (expert -> hyperparameters), metric (the one that was made small),
    scores (expert -> its mean over folds), run (URL).
    Each trial is a child run keyed by its index. Raises TuningFailed, TrainingError.
    """
    if not scope.recipe.tuned:
        progress(f"the recipe {scope.recipe.name} tunes no expert")
        return {"best": {}}
    key = records.tuning_key(scope)
    if kept := _kept(key, progress):
        return kept
    planned, metric = plan(scope.recipe, trials), scope.objective.learned
    samples = training(store, scope)
    with step(store, scope, "tune") as run:
        # Another process may have done it while this one waited for its turn.
        if kept := _kept(key, progress):
            return kept

        def finished(trial: Trial, score: float) -> None:
            progress(f"trial {trial.index + 1} of {len(planned)}: {metric} {score:.5f}")
            with run.child(f"trial {trial.index}") as child:
                named = {"expert": trial.expert, "trial": trial.index}
                child.log({**trial.hyperparameters, **named}, {metric: score})

        run.log({PLANNED: len(planned)})  # what is aborted counts as tried
        task = Task(samples, scope.recipe.cut, scope.objective)
        scores = search(planned, task, finished, progress)
        chosen = best(planned, scores)
        found = {
            "best": {name: trial.hyperparameters for name, trial in chosen.items()},
            "metric": metric,
            "scores": {name: scores[trial.index] for name, trial in chosen.items()},
            "run": run.url,
        }
        run.log({"trials": len(planned)}, {metric: min(scores.values())})
        run.attach("tuning.json", found)
        records.write(key, found)
    return found


def _kept(key: str, progress: Callable[[str], None]) -> dict[str, Any]:
    if not objects.exists(key):
        return {}
    progress(f"{key} is kept already and used again")
    return records.read(key)


def plan(recipe: Recipe, trials: int) -> list[Trial]:
    """The trials of a recipe: for each tuned expert its start, then seeded draws from its space."""
    planned: list[Trial] = []
    for name in recipe.tuned:
        member = EXPERTS.get(name)
        random = np.random.default_rng(recipe.seed)
        space = member.space()
        for number in range(trials if space else 1):
            drawn = {k: span.draw(random) for k, span in space.items()} if number else {}
            chosen = member(**{**recipe.fixed.get(name, {}), **drawn}).hyperparameters()
            planned.append(Trial(len(planned), name, chosen))
    return planned


def best(trials: list[Trial], scores: Mapping[int, float]) -> dict[str, Trial]:
    """For each expert the trial of the smallest score, the earliest one among equals."""
    chosen: dict[str, Trial] = {}
    for trial in sorted(trials, key=lambda t: (scores[t.index], t.index)):
        chosen.setdefault(trial.expert, trial)
    return chosen
