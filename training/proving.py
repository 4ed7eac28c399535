"""The evidence step: gathered once per bundle, logged beside its baselines, then kept."""

from collections.abc import Callable
from dataclasses import replace

from contracts.store import Store
from training import bundle, records
from training.evidence import Evidence, gather, require_plausible
from training.expert import EXPERTS
from training.scope import Scope
from training.tracking import Run, step


def prove(
    store: Store, scope: Scope, explained: str, progress: Callable[[str], None]
) -> dict[str, Evidence]:
    """Evidence of each fitted expert of the recipe, by bundle; what is kept is used again.

    Raises StepMissing, TrainingError, LeakUntilExplained.
    """
    fits = [records.read_fit(scope, name) for name in scope.recipe.experts]
    found = {fit.bundle: records.read_evidence(fit.bundle) for fit in fits}
    missing = [name for name, evidence in found.items() if evidence is None]
    if missing:
        samples = scope.training(store)
        with step(store, scope, "evidence") as run:
            for name in missing:
                manifest = bundle.load(name).manifest
                expert = EXPERTS.get(manifest.expert)(**manifest.hyperparameters)
                progress(f"walking {expert.name} forward over {len(samples)} rows")
                evidence = gather(expert, samples, scope.recipe.cut, scope.recipe.blocks)
                _log(run, evidence)
                require_plausible(evidence, explained)
                records.write_evidence(name, replace(evidence, explained=explained))
    else:
        progress("this evidence is kept already and used again")
    return {fit.bundle: records.evidence(fit.bundle) for fit in fits}


def _log(run: Run, evidence: Evidence) -> None:
    run.attach("evidence.json", evidence.as_json())
    for name, values in evidence.scores.items():
        # One child per row of the table, the same metric names in each: MLflow compares them.
        with run.child(name) as child:
            ends = {
                f"{metric}{end}": number
                for metric, value in values.items()
                for end, number in (("", value.value), ("_low", value.low), ("_high", value.high))
            }
            child.log({"forecaster": name}, ends | {"n": evidence.n})
