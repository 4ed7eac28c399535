"""The step `ensemble`: the fitted experts as one bundle, by what they said out of sample."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from contracts.store import Store
from training.bundle import bundle
from training.bundle.bundle import Bundle
from training.bundle.models.together import Together
from training.ensemble import ENSEMBLES
from training.evidence.walk import tested, walk_together
from training.run import records
from training.run.heard import training
from training.run.records import Fit
from training.run.scope import Scope
from training.run.tracking import step
from training.samples.samples import Samples, TrainingError
from training.steps.packing import keep, log_scores, manifest_of, save


def combine(store: Store, scope: Scope) -> Fit:
    """Combine the recipe's fitted experts: weights from their out-of-sample forecasts only."""
    recipe = scope.recipe
    ensemble = ENSEMBLES.get(recipe.ensemble)()
    said = [records.read_walk(scope, name).forecasts for name in recipe.experts]
    members = {name: bundle.load(records.read_fit(scope, name).bundle) for name in recipe.experts}
    samples = training(store, scope)
    with step(store, scope, "ensemble", ensemble.name) as run:
        folds = recipe.cut.split(samples)
        test = samples.take(tested(folds))
        walked = walk_together(ensemble, said, samples, folds)
        values = np.stack([s.values for s in said])
        parameters = ensemble.fit(scope.objective, values, test.truth)
        packed = pack_together(scope, members, parameters, samples)
        run.log({"ensemble": ensemble.name, "members": ", ".join(members), **parameters})
        log_scores(run, walked, test)
        return keep(run, ensemble.name, packed, walked)


def pack_together(
    scope: Scope, members: Mapping[str, Bundle], parameters: Mapping[str, Any], samples: Samples
) -> Bundle:
    """Store the recipe's ensemble as one bundle that holds its members' files."""
    _require_one_text_model(scope, members)
    held = {
        name: bundle.files_of(m.hash, [file for file in m.manifest.files if file != bundle.GOLDEN])
        for name, m in members.items()
    }
    files = Together.packed(scope.recipe.ensemble, parameters, held)
    libraries = sorted({name for m in members.values() for name in m.manifest.libraries})
    manifest = replace(
        manifest_of(scope, scope.recipe.ensemble, samples.features, libraries),
        hyperparameters={n: dict(m.manifest.hyperparameters) for n, m in members.items()},
        window=max(m.manifest.window for m in members.values()),
    )
    return save(manifest, files, samples)


def _require_one_text_model(scope: Scope, members: Mapping[str, Bundle]) -> None:
    for name, member in members.items():
        if member.manifest.text_model != scope.text_model:
            raise TrainingError(
                f"{name} learnt from texts as {member.manifest.text_model or 'nobody'} scores "
                f"them, expected {scope.text_model or 'nobody'}: run `python -m training fit` anew"
            )
