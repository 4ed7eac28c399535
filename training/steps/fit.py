"""From experts and their samples to registered bundles, and to what they said out of sample."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from contracts.context import git_commit
from contracts.store import Store
from training.bundle import bundle
from training.bundle.bundle import Bundle, Manifest
from training.bundle.models import ENSEMBLE
from training.ensemble import ENSEMBLES
from training.evidence.guards import require_horizon
from training.evidence.score import tally
from training.evidence.walk import Told, Walk, silent, tested, walk, walk_together
from training.expert import EXPERTS, Expert
from training.office.registration import register
from training.run import records
from training.run.records import Fit
from training.run.scope import Scope
from training.run.tracking import Run, step
from training.samples.samples import Samples


def expert_of(scope: Scope, name: str) -> Expert[Any]:
    """The expert with its tuned hyperparameters, or the recipe's when it was not tuned."""
    return EXPERTS.get(name)(**records.hyperparameters(scope, name))


def pack(scope: Scope, expert: Expert[Any], samples: Samples) -> Bundle:
    """Fit the expert on the samples and store it as a bundle; raises Leak.

    The bundle answers for its label's horizon, so no sample may have settled sooner.
    """
    require_horizon(samples, scope.view.label.horizon)
    files = expert.export(expert.fit(samples))
    manifest = replace(
        _manifest(scope, expert.name, samples.features, expert.libraries),
        hyperparameters=expert.hyperparameters(),
        window=expert.window,
    )
    return _save(manifest, files, samples)


def pack_together(
    scope: Scope, members: Mapping[str, Bundle], parameters: Mapping[str, Any], samples: Samples
) -> Bundle:
    """Store the recipe's ensemble as one bundle that holds its members' files."""
    declared = {"ensemble": scope.recipe.ensemble, "members": list(members)}
    files = {ENSEMBLE: json.dumps({**declared, "parameters": parameters}).encode()}
    for name, member in members.items():
        own = [file for file in member.manifest.files if file != bundle.GOLDEN]
        held = bundle.files_of(member.hash, own)
        files |= {f"{name}/{file}": content for file, content in held.items()}
    libraries = sorted({name for m in members.values() for name in m.manifest.libraries})
    manifest = replace(
        _manifest(scope, scope.recipe.ensemble, samples.features, libraries),
        hyperparameters={n: dict(m.manifest.hyperparameters) for n, m in members.items()},
        window=max(m.manifest.window for m in members.values()),
    )
    return _save(manifest, files, samples)


def fit(store: Store, scope: Scope, name: str, verb: str = "fit", told: Told = silent) -> Fit:
    """Walk one expert forward, fit it on all rows, store and register it; `told` hears of it.

    What it said out of sample, and its bundle, are left for the later steps.
    """
    expert, recipe = expert_of(scope, name), scope.recipe
    samples = scope.training(store)
    with step(store, scope, verb, name) as run:
        folds = recipe.cut.split(samples)
        told(f"{name}: {len(folds)} folds of {len(samples)} rows")
        walked = walk(expert, samples, folds, recipe.permutations, recipe.seed, told)
        packed = pack(scope, expert, samples)
        told(f"{name}: fitted on all rows")
        run.log(expert.hyperparameters() | {"expert": name}, {"training_rows": len(samples)})
        _log(run, walked, samples.take(tested(folds)))
        return _keep(run, name, packed, walked)


def fit_together(store: Store, scope: Scope) -> Fit:
    """Combine the recipe's fitted experts: weights from their out-of-sample forecasts only."""
    recipe = scope.recipe
    ensemble = ENSEMBLES.get(recipe.ensemble)()
    said = [records.read_walk(scope, name).forecasts for name in recipe.experts]
    members = {name: bundle.load(records.read_fit(scope, name).bundle) for name in recipe.experts}
    samples = scope.training(store)
    with step(store, scope, "ensemble", ensemble.name) as run:
        folds = recipe.cut.split(samples)
        test = samples.take(tested(folds))
        walked = walk_together(ensemble, said, samples, folds)
        parameters = ensemble.fit(np.stack([s.probabilities for s in said]), test.labels)
        packed = pack_together(scope, members, parameters, samples)
        run.log({"ensemble": ensemble.name, "members": ", ".join(members), **parameters})
        _log(run, walked, test)
        return _keep(run, ensemble.name, packed, walked)


def _manifest(
    scope: Scope, name: str, features: tuple[str, ...], libraries: Iterable[str]
) -> Manifest:
    return Manifest(
        expert=name,
        objective=scope.recipe.objective,
        hyperparameters={},
        view=scope.recipe.view,
        view_hash=scope.view.hash,
        features=features,
        label=scope.view.label.name,
        horizon=scope.view.label.horizon,
        universe=scope.universe,
        calendar=scope.calendar,
        as_of=scope.as_of,
        snapshot=scope.snapshot,
        git_commit=git_commit(),
        libraries={library: version(library) for library in libraries},
        files={},
        thresholds=scope.recipe.thresholds,
    )


def _save(manifest: Manifest, files: Mapping[str, bytes], samples: Samples) -> Bundle:
    shown = samples.take(bundle.golden_rows(len(samples)))
    return bundle.save(manifest, files, shown.windows(manifest.window))


def _log(run: Run, walked: Walk, test: Samples) -> None:
    scores = tally(walked.forecasts, test.labels, test.sessions).scores()
    run.log(metrics={name: float(value[0]) for name, value in scores.items()})


def _keep(run: Run, name: str, packed: Bundle, walked: Walk) -> Fit:
    run.tag({"bundle": packed.hash})
    done = Fit(name, packed.hash, register(run, packed))
    records.write_walk(run.scope, name, walked)
    records.write_fit(run.scope, done)
    return done
