"""Trials on a real Ray."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from contracts.store import Store
from training import search, tune
from training.experts.trees import Trees
from training.folds import WalkForward
from training.samples import Samples
from training.scope import Scope
from training.search import Trial, TuningFailed
from training.tracking import Mlflow
from training.walk import mean_log_loss

CUT = WalkForward(count=2)


def children() -> list[str]:
    return [p.name() for p in psutil.Process().children(recursive=True) if "ray" in p.name()]


@pytest.mark.integration
def test_ray_finds_what_this_process_would_and_leaves_nothing(samples: Samples) -> None:
    trials = [Trial(i, "xgboost", {"max_depth": 2 + i, "rounds": 20}) for i in range(2)]
    seen: list[tuple[int, float]] = []
    found = search.search(trials, samples, CUT, lambda t, loss: seen.append((t.index, loss)))
    expected = {
        t.index: mean_log_loss(Trees(**t.hyperparameters), samples, CUT)  # type: ignore[arg-type]
        for t in trials
    }
    assert found == pytest.approx(expected, abs=1e-9)
    assert dict(seen) == found
    assert children() == []


def test_a_failed_trial_fails_the_tuning_with_what_it_said() -> None:
    results = SimpleNamespace(errors=[RuntimeError("no such field")])
    with pytest.raises(TuningFailed, match="no such field"):
        search.log_losses(results)


@pytest.mark.integration
def test_a_tuning_is_kept_and_used_again(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def here(
        trials: list[Trial], samples: Samples, cut: WalkForward, finished: Callable[..., Any]
    ) -> dict[int, float]:
        losses = {t.index: 1.0 - t.index / 10 for t in trials}
        for trial in trials:
            finished(trial, losses[trial.index])
        calls.append(len(trials))
        return losses

    monkeypatch.setattr(tune, "search", here)
    scope, said = market(), list[str]()
    first = tune.tune(store, scope, 3, said.append)
    assert tune.tune(store, scope, 3, said.append) == first
    assert calls == [3] and "used again" in said[-1]
    assert first["best"]["xgboost"] == tune.plan(scope.recipe, 3)[2].hyperparameters
    assert fitted_with(scope) == first["best"]["xgboost"]


def fitted_with(scope: Scope) -> dict[str, Any]:
    from training.fitting import expert_of

    return expert_of(scope, "xgboost").hyperparameters()
