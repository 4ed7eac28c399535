"""The conformance suite of models: every kind of file, with each head that it was written for."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from answers import HEADS, answers
from made_models import MADE, VALUES, constant, linear, loglinear

from training.barriers import Barriers
from training.bundle.model import Model, ModelError, read
from training.bundle.models.barriers import TwoBarriers
from training.bundle.models.garch import Garch, Terms
from training.bundle.models.product import Product
from training.forecast import Classes, Head, Tails, Touches, Value, Values


def factors(head: Head) -> Model:
    return Product({"one": loglinear(head), "other": linear(head)}, head)


POSITIVE = [head for head in HEADS if isinstance(head, Tails) or getattr(head, "link", "") == "log"]


@pytest.mark.parametrize("head", POSITIVE, ids=str)
def test_factors_are_multiplied_and_their_reasons_added(head: Head) -> None:
    model = factors(head)
    one, other = (part.forecast(VALUES) for part in model.members.values())  # type: ignore[attr-defined]
    again = read(model.files(), head)
    found = again.forecast(VALUES)
    head.require(found)
    np.testing.assert_allclose(found, head.kept(one * other), rtol=1e-12)
    why = again.explain(VALUES, VALUES[0])
    assert why is not None
    if not isinstance(head, Tails):  # whose order is made after the sum
        np.testing.assert_allclose(head.from_scores(why.sum(axis=2)), found)
    assert again.forecast(VALUES[:0]).shape == (0, head.width)


def garch(**changed: float) -> Garch:
    terms = {"shock": 0.05, "fall": 0.1, "kept": 0.8, "usual": 4e-4, "lasting": 0.7} | changed
    return Garch(Terms(**terms), 0, 1, 3, Value("log", 2))


def test_a_recursion_is_that_of_glosten_jagannathan_and_runkle() -> None:
    windows = np.zeros((1, 5, 2), np.float32)
    windows[0, :, 0] = 9.0, 9.0, 0.02, -0.03, 0.01  # the first two lie before its window
    windows[0, -1, 1] = 0.015
    level = variance = float(np.float32(0.015)) ** 2
    for moved in (0.02, -0.03, 0.01):
        shock = (0.05 + 0.1 * (moved < 0)) * moved**2
        variance = (1 - 0.05 - 0.05 - 0.8) * level + shock + 0.8 * variance
    model = garch(factor=1.2)
    wanted = np.sqrt(1.2 * (level + 0.7 * (variance - level)))
    assert model.forecast(windows) == pytest.approx(np.array([[wanted]]), rel=1e-6)
    again = read(model.files(), model.head)
    assert again == model


def test_what_a_recursion_was_not_told_changes_nothing() -> None:
    windows = np.full((1, 4, 2), np.nan, np.float32)
    assert garch().forecast(windows) == pytest.approx(0.02)
    windows[0, -1, 1] = 0.03
    assert garch().forecast(windows) == pytest.approx(0.03)


def named(value: object) -> str:
    return getattr(value, "__name__", str(value))


def barriers(head: Head) -> Model:
    law = Barriers(1.1, 0.9, np.array([0.0, 0.1, -0.2, 0.3]), answers(head, 1)[0])
    return TwoBarriers(law, (2, 0, 1), head)


@pytest.mark.parametrize(
    ("make", "head"), [*product(MADE, HEADS), (barriers, Touches())], ids=named
)
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
