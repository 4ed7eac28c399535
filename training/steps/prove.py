"""The evidence step: all forecasters on the same rows, logged beside their baselines, then kept."""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite

from contracts.store import Store
from features.facts.members import survivors_only
from training.evidence import plots
from training.evidence.evidence import Evidence, answers_of, gather, require_plausible
from training.evidence.luck import judge, session_losses
from training.evidence.walk import tested
from training.objective import Forecasts
from training.run import records
from training.run.heard import training
from training.run.scope import Scope
from training.run.tracking import Run, step
from training.run.trials import SHARPE, trials_of
from training.samples.samples import Samples


def prove(store: Store, scope: Scope, explained: str) -> tuple[dict[str, Evidence], str]:
    """Evidence of the recipe's experts and ensemble by bundle, and the page of their MLflow run.

    Raises StepMissing, TrainingError, LeakUntilExplained.
    """
    names = (*scope.recipe.experts, scope.recipe.ensemble)
    fits = [records.read_fit(scope, name) for name in names]
    shown = (*names, records.UNCALIBRATED) if scope.recipe.calibration else names
    walks = {name: records.read_walk(scope, name) for name in shown}
    samples = training(store, scope)
    biased = survivors_only(store, scope.universe, scope.cut.end, scope.snapshot)
    with step(store, scope, "evidence") as run:
        run.tag({"survivor_biased": str(biased).lower()})
        folds = scope.recipe.cut.split(samples)
        said = {name: walked.forecasts for name, walked in walks.items()}
        test, baselines = samples.take(tested(folds)), answers_of(scope.objective, samples, folds)
        found = gather(walks, samples, folds, scope.overlap, baselines)
        told = baselines | said
        tried = trials_of(run.server, scope.recipe.target, apart_from=run.id)
        luck = judge(session_losses(told, test), scope.objective.zero, names, tried, scope.overlap)
        found |= {name: replace(found[name], luck=one.as_json()) for name, one in luck.items()}
        _log(run, found, scope.recipe.ensemble, said, test)
        for evidence in found.values():
            require_plausible(evidence, explained)
        for fit in fits:
            found[fit.expert] = replace(found[fit.expert], explained=explained)
            records.write_evidence(fit.bundle, found[fit.expert])
    return {fit.bundle: found[fit.expert] for fit in fits}, run.url


def _log(
    run: Run,
    found: Mapping[str, Evidence],
    ensemble: str,
    said: dict[str, Forecasts],
    test: Samples,
) -> None:
    evidence = found[ensemble]
    run.attach("evidence.json", evidence.as_json())
    run.attach_file("intervals.png", plots.intervals(evidence))
    if evidence.coverage:
        run.attach_file("coverage.png", plots.coverage(evidence))
    run.attach_file("reliability.png", plots.reliability(said, test.truth))
    for name, values in evidence.scores.items():
        # One child per row of the table, the same metric names in each: MLflow compares them.
        with run.child(name) as child:
            ends = {
                f"{metric}{end}": number
                for metric, value in values.items()
                for end, number in (("", value.value), ("_low", value.low), ("_high", value.high))
            }
            known = {k: number for k, number in ends.items() if isfinite(number)}
            if name in found and found[name].luck:
                known[SHARPE] = float(found[name].luck["sharpe"])
            child.log({"forecaster": name}, known | {"n": evidence.n})
            if name in said:
                child.attach_file(
                    "reliability.png", plots.reliability({name: said[name]}, test.truth)
                )
