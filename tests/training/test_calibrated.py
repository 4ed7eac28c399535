"""A recipe that calibrates and abstains, through its steps on a real MLflow server."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from contracts import objects
from contracts.store import Store
from training.bundle import bundle
from training.bundle.checks import Leak
from training.evidence.score import tally
from training.evidence.walk import tested as rows_of
from training.objective import ABSTAIN, Forecasts
from training.run import records
from training.run.mlflow_api import Mlflow
from training.run.scope import Scope
from training.run.trials import trials_of
from training.samples.samples import TrainingError
from training.steps import combine, fit, prove

pytestmark = pytest.mark.integration


def made(store: Store, scope: Scope, **fields: object) -> Scope:
    """The scope of a recipe with those fields, its experts fitted."""
    own = replace(scope, recipe=replace(scope.recipe, **fields))
    for name in own.recipe.experts:
        fit.fit(store, own, name)
    return own


def test_what_is_served_is_calibrated_and_abstains(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = made(store, market(), ensemble="threshold", calibration="venn_abers")
    fitted = combine.combine(store, scope)
    served = bundle.load(fitted.bundle)
    raw, mended = (records.read_walk(scope, n) for n in (records.UNCALIBRATED, "threshold"))
    samples = scope.training(store)
    folds = scope.recipe.cut.split(samples)
    test = samples.take(rows_of(folds))
    first = len(folds[0].test)
    assert (raw.forecasts.values[:first] == mended.forecasts.values[:first]).all()
    assert (raw.forecasts.values[first:] != mended.forecasts.values[first:]).any()
    # Half of what is said out of sample is left without a signal, of what is served as well.
    assert served.manifest.thresholds[ABSTAIN] > 0
    answers = samples.answers(served.manifest.window, served.forecast)
    signals = served.signals(answers)
    assert signals is not None and 0.2 < np.mean([one == ABSTAIN for one in signals]) < 0.8
    prove.prove(store, scope, "the effect is planted")
    evidence = records.evidence(fitted.bundle)
    assert {"uncalibrated", "threshold", "class_prior"} <= set(evidence.scores)
    assert "ece" in evidence.beside["uncalibrated"]
    scored = tally(Forecasts(scope.objective, raw.forecasts.values), test.truth, test.sessions)
    wanted = scored.scores()["ece"][0]
    assert evidence.scores["uncalibrated"]["ece"].value == pytest.approx(wanted)
    assert evidence.coverage["50%"]["accuracy"].value > evidence.own["accuracy"].value
    assert evidence.luck["trials"] == trials_of(tracking, scope.recipe.target).count >= 3
    assert set(evidence.luck["better"]) <= {*scope.recipe.experts, "threshold"}
    # What had been counted before is not counted again.
    prove.prove(store, scope, "the effect is planted")
    assert records.evidence(fitted.bundle).luck == evidence.luck


def test_a_walk_that_does_not_say_what_it_had_learnt_is_not_combined(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = made(store, market())
    name = scope.recipe.experts[0]
    whole = records.read_walk(scope, name)
    before = replace(whole, forecasts=replace(whole.forecasts, learnt=None))
    records.write_walk(scope, name, before)  # as walks were kept before
    with pytest.raises(Leak, match="run `python -m training fit` anew"):
        combine.combine(store, scope)
    kept = objects.get(f"walks/{scope.name}_{name}.parquet")
    assert "learnt" not in pq.read_schema(pa_buffer(kept)).names
    planted = np.full(len(whole.forecasts), np.datetime64("2025-06-30", "us"))
    in_fold = replace(whole.forecasts, learnt=planted)
    records.write_walk(scope, name, replace(whole, forecasts=in_fold))
    with pytest.raises(Leak, match="in-fold"):
        combine.combine(store, scope)


def pa_buffer(content: bytes) -> object:
    import pyarrow as pa

    return pa.BufferReader(content)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"calibration": "isotonic"}, "the calibration isotonic mends classes"),
        ({"ensemble": "majority"}, "the ensemble majority combines classes"),
    ],
)
def test_what_does_not_suit_the_answers_is_refused(
    fields: dict[str, str], message: str, store: Store, market: Callable[..., Scope]
) -> None:
    scope = market()
    asked = {"objective": "volatility", "target": "volatility_5"} | fields
    with pytest.raises(TrainingError, match=f"{message}, volatility_5 asks for value"):
        combine.combine(store, replace(scope, recipe=replace(scope.recipe, **asked)))
