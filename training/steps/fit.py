"""The step `fit`: one expert walked forward, fitted on all rows, and registered as a bundle."""

from dataclasses import replace
from typing import Any

from contracts.store import Store
from training.bundle.bundle import Bundle
from training.evidence.guards import require_horizon
from training.evidence.walk import Learner, Permuted, Told, silent, tested, walk
from training.expert import EXPERTS, Expert
from training.run import records
from training.run.heard import training
from training.run.records import Fit
from training.run.scope import Scope
from training.run.tracking import step
from training.samples.samples import Samples, TrainingError
from training.steps.packing import keep, log_scores, manifest_of, save


def expert_of(scope: Scope, name: str) -> Expert[Any]:
    """The expert with its tuned hyperparameters, or the recipe's when it was not tuned.

    Raises TrainingError when it cannot answer in the form of the recipe's objective.
    """
    member, head = EXPERTS.get(name), scope.objective.head
    if not isinstance(head, member.heads):
        known = ", ".join(one.kind for one in member.heads)
        raise TrainingError(
            f"the expert {name} answers by {known}, {scope.recipe.target} asks for {head.kind}: "
            "take another expert into the recipe"
        )
    return member(**records.hyperparameters(scope, name))


def pack(scope: Scope, expert: Expert[Any], samples: Samples) -> Bundle:
    """Fit the expert on the samples and store it as a bundle; raises Leak.

    The bundle answers for its label's horizon, so no sample may have settled sooner.
    """
    require_horizon(samples, scope.target.label.horizon)
    files = expert.fit(samples, scope.objective.head).files()
    manifest = replace(
        manifest_of(scope, expert.name, samples.features, expert.libraries),
        hyperparameters=expert.hyperparameters(),
        window=expert.window,
    )
    return save(manifest, files, samples)


def fit(store: Store, scope: Scope, name: str, verb: str = "fit", told: Told = silent) -> Fit:
    """Walk one expert forward, fit it on all rows, store and register it; `told` hears of it.

    What it said out of sample, and its bundle, are left for the later steps.
    """
    expert, recipe = expert_of(scope, name), scope.recipe
    samples = training(store, scope)
    with step(store, scope, verb, name) as run:
        folds = recipe.cut.split(samples)
        told(f"{name}: {len(folds)} folds of {len(samples)} rows")
        permuted = Permuted(recipe.permutations, recipe.seed)
        walked = walk(Learner(expert, scope.objective), samples, folds, permuted, told)
        packed = pack(scope, expert, samples)
        told(f"{name}: fitted on all rows")
        run.log(expert.hyperparameters() | {"expert": name}, {"training_rows": len(samples)})
        log_scores(run, walked, samples.take(tested(folds)))
        return keep(run, scope, name, packed, walked)
