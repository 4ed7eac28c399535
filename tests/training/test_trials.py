"""Every try in the registry counts, aborted ones too."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from contracts.store import Store
from training.run.mlflow_api import Mlflow
from training.run.scope import Scope
from training.run.tracking import step
from training.run.trials import PLANNED, SHARPE, trials_of

pytestmark = pytest.mark.integration


def test_tries_of_a_target_are_counted(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = market()
    before = trials_of(tracking, "trend_1")
    with step(store, scope, "tune") as run:
        run.log({PLANNED: 6})
        with run.child("trial 0") as child:
            child.log({"trial": 0})
    for expert in ("logistic", "xgboost"):
        with step(store, scope, "fit", expert):
            pass
    with pytest.raises(RuntimeError), step(store, scope, "fit", "lstm"):
        raise RuntimeError("aborted")
    with step(store, scope, "ensemble", "soft"):
        pass
    with step(store, scope, "evidence") as run:
        with run.child("logistic") as child:
            child.log({}, {SHARPE: 0.25})
        own = run.id
    # Another target of the same universe has tries of its own.
    other = replace(scope, recipe=replace(scope.recipe, name="volatility"))
    with step(store, other, "fit", "har"):
        pass
    found = trials_of(tracking, "trend_1")
    assert found.count - before.count == 6 + 3 + 1
    assert len(found.sharpes) - len(before.sharpes) == 1 and 0.25 in found.sharpes
    assert len(trials_of(tracking, "trend_1", apart_from=own).sharpes) == len(before.sharpes)
