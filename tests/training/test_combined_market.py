"""All ensembles and calibrations on the simulated market: what docs/results.md shows of them.

pytest -s -m slow tests/training/test_combined_market.py
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
import simulated

from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store
from contracts.universe import universe
from training.calibration import CALIBRATIONS
from training.ensemble import ENSEMBLES
from training.evidence.evidence import CONFIDENCE, Evidence, answers_of, gather
from training.evidence.luck import Trials, judge, session_losses
from training.evidence.walk import Learner, Walk, walk, walk_calibrated, walk_together
from training.evidence.walk import tested as rows_of
from training.recipe import recipe
from training.run.scope import Scope
from training.samples.folds import Fold
from training.samples.samples import Samples
from training.steps.fit import expert_of
from training.text.named import version

RECIPES = {
    "trend_1": replace(recipe("demo"), experts=("logistic", "lstm", "transformer", "xgboost")),
    "trend_5": replace(recipe("demo_trend_5"), experts=("logistic", "transformer", "xgboost")),
}
SHOWN = ("accuracy", "log_loss", "direction_loss", "ece")


@pytest.fixture
def scopes(
    new_store: Callable[[], AbstractContextManager[Store]],
) -> Iterator[Mapping[str, tuple[Scope, Samples]]]:
    with new_store() as store:
        settings.cache_clear()
        _, last, snapshot = simulated.load_market(store, "daily_3")
        cut, model = Cut.at(universe(), last, snapshot), version(settings().text_model, None)
        made = {n: Scope(cut, r, settings().contest_sessions, model) for n, r in RECIPES.items()}
        yield {name: (scope, scope.training(store)) for name, scope in made.items()}


def walks_of(scope: Scope, samples: Samples, folds: list[Fold]) -> dict[str, Walk]:
    """The experts', all ensembles' of them, and all calibrations' of two."""
    experts = {
        name: walk(Learner(expert_of(scope, name), scope.objective), samples, folds)
        for name in scope.recipe.experts
    }
    said, found = [one.forecasts for one in experts.values()], dict(experts)
    for member in ENSEMBLES:
        found[member.name] = walk_together(member(), said, samples, folds)
    for way in CALIBRATIONS:
        found[f"soft, {way.name}"] = walk_calibrated(way(), found["soft"], samples, folds)
        of_logistic = walk_calibrated(way(), experts["logistic"], samples, folds)
        found[f"logistic, {way.name}"] = of_logistic
    return found


def show(name: str, evidence: Evidence) -> None:
    for forecaster, values in evidence.scores.items():
        told = (f"{values[m].value:.4f} [{values[m].low:.4f}, {values[m].high:.4f}]" for m in SHOWN)
        print(f"| {name} | {forecaster} |", " | ".join(told), "|")
    for share, row in evidence.coverage.items():
        right = row["accuracy"]
        ends = f"{right.value:.3f} [{right.low:.3f}, {right.high:.3f}]"
        print(f"| {name} | {share} | {row[CONFIDENCE].value:.3f} | {ends} |")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_way_of_combining_or_calibrating_does_harm(
    scopes: Mapping[str, tuple[Scope, Samples]],
) -> None:
    for name, (scope, samples) in scopes.items():
        folds = scope.recipe.cut.split(samples)
        walks, test = walks_of(scope, samples, folds), samples.take(rows_of(folds))
        found = gather(walks, samples, folds, scope.overlap)
        show(name, found["threshold"])
        said = answers_of(scope.objective, samples, folds)
        said |= {n: each.forecasts for n, each in walks.items()}
        tried = [*scope.recipe.experts, *ENSEMBLES.names()]
        for one, luck in judge(
            session_losses(said, test), scope.objective.zero, tried, Trials(), scope.overlap
        ).items():
            print(name, one, luck)
        soft = found["soft"].own["log_loss"].value
        worst = max(found[n].own["log_loss"].value for n in scope.recipe.experts)
        for member in ENSEMBLES:
            assert found[member.name].own["log_loss"].value < worst + 0.01, member.name
        for way in CALIBRATIONS:
            mended = found[f"soft, {way.name}"].own
            assert mended["log_loss"].value < soft + 0.01, way.name
