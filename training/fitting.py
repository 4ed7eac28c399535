"""From an expert and its samples to a registered bundle."""

from importlib.metadata import version
from typing import Any

from contracts.context import git_commit
from contracts.store import Store
from training import bundle, records
from training.bundle import Bundle, Manifest
from training.expert import EXPERTS, Expert
from training.records import Fit
from training.registration import register
from training.samples import Samples
from training.scope import Scope
from training.tracking import step


def expert_of(scope: Scope, name: str) -> Expert[Any]:
    """The expert with its tuned hyperparameters, or its defaults when it was not tuned."""
    return EXPERTS.get(name)(**records.hyperparameters(scope, name))


def pack(scope: Scope, expert: Expert[Any], samples: Samples) -> Bundle:
    """Fit the expert on the samples and store it as a bundle."""
    fitted = expert.fit(samples)
    manifest = Manifest(
        expert=expert.name,
        objective=expert.objective,
        hyperparameters=expert.hyperparameters(),
        view=scope.recipe.view,
        view_hash=scope.view.hash,
        features=samples.features,
        label=scope.view.label.name,
        horizon=scope.view.label.horizon,
        universe=scope.universe,
        calendar=scope.calendar,
        as_of=scope.as_of,
        snapshot=scope.snapshot,
        git_commit=git_commit(),
        libraries={name: version(name) for name in expert.libraries},
        files={},
    )
    return bundle.save(manifest, expert.export(fitted), bundle.golden_rows(samples.values))


def fit(store: Store, scope: Scope, name: str, verb: str = "fit") -> Fit:
    """Fit, store and register one expert, and leave word of it for the later steps."""
    expert = expert_of(scope, name)
    samples = scope.training(store)
    with step(store, scope, verb, name) as run:
        packed = pack(scope, expert, samples)
        run.log(expert.hyperparameters() | {"expert": name}, {"training_rows": len(samples)})
        run.tag({"bundle": packed.hash})
        done = Fit(name, packed.hash, register(run, packed))
    records.write_fit(scope, done)
    return done
