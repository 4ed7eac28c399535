"""The step `ensemble`: the fitted experts as one bundle, by what they said out of sample."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from contracts.store import Store
from training.bundle import bundle
from training.bundle.bundle import Bundle
from training.bundle.models.together import Together
from training.calibration import CALIBRATIONS, Calibration
from training.ensemble import ENSEMBLES, Ensemble
from training.evidence.walk import tested, walk_calibrated, walk_together
from training.forecast import Head
from training.run import records
from training.run.heard import training
from training.run.records import UNCALIBRATED, Fit
from training.run.scope import Scope
from training.run.tracking import step
from training.samples.samples import Samples, TrainingError
from training.steps.packing import keep, log_scores, manifest_of, save


def combine(store: Store, scope: Scope) -> Fit:
    """Combine the recipe's fitted experts: weights from their out-of-sample forecasts only.

    Calibrated, where the recipe says so, on what the ensemble said out of sample. Raises Leak.
    """
    recipe = scope.recipe
    ensemble = ensemble_of(scope)
    calibration = calibration_of(scope)
    said = [records.read_walk(scope, name).forecasts for name in recipe.experts]
    members = {name: bundle.load(records.read_fit(scope, name).bundle) for name in recipe.experts}
    samples = training(store, scope)
    with step(store, scope, "ensemble", ensemble.name) as run:
        folds = recipe.cut.split(samples)
        test = samples.take(tested(folds))
        walked = walk_together(ensemble, said, samples, folds)
        values = np.stack([s.values for s in said])
        parameters = ensemble.fit(scope.objective, values, test.truth)
        served, mended = walked.forecasts.values, dict[str, Any]()
        if calibration:
            records.write_walk(scope, UNCALIBRATED, walked)
            found = calibration.fit(served, test.truth)
            served = calibration.apply(found, served)
            mended = {"name": calibration.name, "parameters": found}
            walked = walk_calibrated(calibration, walked, samples, folds)
            run.log({"calibration": calibration.name})
        finish = Finish(mended, ensemble.thresholds(scope.objective.head, served))
        packed = pack_together(scope, members, parameters, samples, finish)
        run.log({"ensemble": ensemble.name, "members": ", ".join(members), **parameters})
        log_scores(run, walked, test)
        return keep(run, scope, ensemble.name, packed, walked)


def ensemble_of(scope: Scope) -> Ensemble:
    """The recipe's ensemble; raises TrainingError where it combines no such answers."""
    member = ENSEMBLES.get(scope.recipe.ensemble)
    _require_head(scope, f"ensemble {member.name} combines", member.heads)
    return member()


def calibration_of(scope: Scope) -> Calibration | None:
    """The recipe's calibration; raises TrainingError where it mends no such answers."""
    if not scope.recipe.calibration:
        return None
    member = CALIBRATIONS.get(scope.recipe.calibration)
    _require_head(scope, f"calibration {member.name} mends", member.heads)
    return member()


def _require_head(scope: Scope, what: str, heads: tuple[type[Head], ...]) -> None:
    head = scope.objective.head
    if not isinstance(head, heads):
        raise TrainingError(
            f"the {what} {', '.join(one.kind for one in heads)}, {scope.recipe.target} asks for "
            f"{head.kind}: take another one into the recipe"
        )


@dataclass(frozen=True)
class Finish:
    """What becomes of an ensemble's answers: their calibration, and when they are a signal."""

    calibration: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)


def pack_together(
    scope: Scope,
    members: Mapping[str, Bundle],
    parameters: Mapping[str, Any],
    samples: Samples,
    finish: Finish = Finish(),
) -> Bundle:
    """Store the recipe's ensemble as one bundle that holds its members' files."""
    _require_one_text_model(scope, members)
    held = {
        name: bundle.files_of(m.hash, [file for file in m.manifest.files if file != bundle.GOLDEN])
        for name, m in members.items()
    }
    files = Together.packed(scope.recipe.ensemble, parameters, held, finish.calibration)
    libraries = sorted({name for m in members.values() for name in m.manifest.libraries})
    manifest = manifest_of(scope, scope.recipe.ensemble, samples.features, libraries)
    manifest = replace(
        manifest,
        hyperparameters={n: dict(m.manifest.hyperparameters) for n, m in members.items()},
        window=max(m.manifest.window for m in members.values()),
        thresholds={**scope.objective.thresholds, **finish.thresholds, **scope.recipe.thresholds},
    )
    return save(manifest, files, samples)


def _require_one_text_model(scope: Scope, members: Mapping[str, Bundle]) -> None:
    for name, member in members.items():
        if member.manifest.text_model != scope.text_model:
            raise TrainingError(
                f"{name} learnt from texts as {member.manifest.text_model or 'nobody'} scores "
                f"them, expected {scope.text_model or 'nobody'}: run `python -m training fit` anew"
            )
