"""A regression on principal components of what headlines mean, as weights of the features."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from training.experts.logistic import Logistic
from training.experts.reduced_logistic import PREFIX, ReducedLogistic
from training.forecast import Classes
from training.objective import OBJECTIVES, Objective
from training.samples.samples import Samples

TREND = OBJECTIVES.get("trend")


@pytest.fixture
def told(rows_for: Callable[[Objective], Samples]) -> Samples:
    """The made-up rows with twelve numbers of meaning, two of whose directions are all there is."""
    rows = rows_for(TREND)
    draw = np.random.default_rng(3)
    count = len(rows.history.values)
    meant = draw.normal(size=(count, 2)) @ draw.normal(size=(2, 12)) + 1.0
    meant[draw.random(count) < 0.4] = np.nan
    values = np.column_stack([rows.history.values, meant]).astype(np.float32)
    names = (*rows.features, *(f"{PREFIX}{place}" for place in range(12)))
    return replace(rows, features=names, history=replace(rows.history, values=values))


def test_it_says_what_sklearns_components_and_regression_say(told: Samples) -> None:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.linear_model import LogisticRegression

    model = ReducedLogistic(strength=0.5, width=2).fit(told, TREND.head)
    scaled = model.scaler.apply(told.values)
    svd = TruncatedSVD(2, algorithm="arpack").fit(scaled[:, -12:])
    found = scaled[:, -12:] @ svd.components_.T
    inputs = np.column_stack([scaled[:, :-12], found / np.sqrt((found**2).mean(axis=0))])
    wanted = LogisticRegression(C=0.5, max_iter=2000).fit(inputs, told.truth).predict_proba(inputs)
    assert model.forecast(told.windows(1)) == pytest.approx(wanted, abs=2e-3)


def test_its_components_are_those_of_the_training_rows(told: Samples) -> None:
    train = told.take(np.arange(900))
    later = told.history.days > train.sessions.max()
    values = np.where(later[:, None], np.float32(7.0), told.history.values)
    other = replace(train, history=replace(told.history, values=values))
    fit = ReducedLogistic().fit
    assert fit(train, TREND.head).files() == fit(other, TREND.head).files()


def test_without_meanings_it_is_the_plain_one(rows_for: Callable[[Objective], Samples]) -> None:
    rows = rows_for(TREND)
    plain, reduced = (e.fit(rows, TREND.head) for e in (Logistic(), ReducedLogistic()))
    assert plain.files() == reduced.files()
    assert isinstance(reduced.head, Classes)
