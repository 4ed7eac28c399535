"""The conformance suite of models: every kind of file, with each head that it was written for."""

from collections.abc import Callable

import numpy as np
import pytest
from answers import HEADS
from made_models import MADE, VALUES, constant, linear, loglinear

from training.bundle.model import Model, ModelError, read
from training.forecast import Classes, Head, Values


@pytest.mark.parametrize("head", HEADS, ids=str)
@pytest.mark.parametrize("make", MADE)
def test_a_model_read_back_answers_alike(make: Callable[[Head], Model], head: Head) -> None:
    model = make(head)
    again = read(model.files(), head)
    assert type(again) is type(model) and again.files().keys() == model.files().keys()
    for values in (VALUES, VALUES[:1], VALUES[:0]):
        found = model.forecast(values)
        head.require(found)
        assert found.shape == (len(values), head.width)
        np.testing.assert_allclose(again.forecast(values), found, rtol=1e-15)


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_terms_of_a_sum_are_its_reasons(head: Head) -> None:
    model = linear(head)
    why = model.explain(VALUES, VALUES[0])
    assert why is not None and why.shape == (40, head.width, 4)
    np.testing.assert_allclose(head.from_scores(why.sum(axis=2)), model.forecast(VALUES))
    scaled = model.scaler.apply(VALUES[:, -1])  # type: ignore[attr-defined]
    assert (why[:, :, 1][scaled[:, 1] == 0] == 0).all(), "a null adds nothing"
    assert constant(head).explain(VALUES, VALUES[0]) is None


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_terms_of_logarithms_are_those_of_the_features_that_are_looked_at(head: Head) -> None:
    model = loglinear(head)
    why = model.explain(VALUES, VALUES[0])
    assert why is not None and why.shape == (40, head.width, 4)
    np.testing.assert_allclose(head.from_scores(why.sum(axis=2)), model.forecast(VALUES))
    assert (why[:, :, 1] == 0).all() and why[:, :, 0].any() and why[:, :, 2].any()


def test_files_of_none_or_two_models_are_refused() -> None:
    head = Classes(3)
    both = {**constant(head).files(), **linear(head).files()}
    for files in ({}, {"notes.json": b""}, both):
        with pytest.raises(ModelError, match="expected one model file of"):
            read(files, head)


def test_trees_read_back_keep_to_one_core(values: Values = VALUES) -> None:
    import json

    import xgboost

    given = xgboost.DMatrix(values[:, -1], np.arange(40) % 3)
    options = {"objective": "multi:softprob", "num_class": 3, "nthread": 4}
    files = {"model.ubj": bytes(xgboost.train(options, given, 2).save_raw("ubj"))}
    booster = read(files, Classes(3)).booster  # type: ignore[attr-defined]
    assert json.loads(booster.save_config())["learner"]["generic_param"]["nthread"] == "1"
