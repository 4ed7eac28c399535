"""The naive forecasts that every number stands beside, fitted inside the fold like any other."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from training.experts.class_prior import ClassPrior
from training.forecast import CLASSES, UP, Floats, Forecasts, Labels
from training.samples import UNKNOWN, Samples

Baseline: TypeAlias = Callable[[Samples, Samples], Forecasts]


def class_prior(train: Samples, test: Samples) -> Forecasts:
    """The training frequencies; its class is always the training majority."""
    prior = ClassPrior()
    return prior.predict(prior.fit(train), test.values)


def persistence(train: Samples, test: Samples) -> Forecasts:
    """The class of the instrument's newest settled label; without one, the training majority."""
    return _hard(_last(train, train), _last(train, test), train)


def always_up(train: Samples, test: Samples) -> Forecasts:
    """Up, whatever happens."""
    return _hard(np.full(len(train), UP), np.full(len(test), UP), train)


BASELINES: dict[str, Baseline] = {
    "class_prior": class_prior,
    "persistence": persistence,
    "always_up": always_up,
}


def _last(train: Samples, rows: Samples) -> Labels:
    majority = np.bincount(train.labels, minlength=len(CLASSES)).argmax()
    return np.where(rows.persistence == UNKNOWN, majority, rows.persistence).astype(np.int64)


def _hard(in_train: Labels, in_test: Labels, train: Samples) -> Forecasts:
    # A hard class gets the share of training rows in which it was right, the others the rest:
    # the best that can be said for it under the log loss.
    right = (np.sum(in_train == train.labels) + 1) / (len(train) + 2)
    probabilities: Floats = np.full((len(in_test), len(CLASSES)), (1 - right) / (len(CLASSES) - 1))
    probabilities[np.arange(len(in_test)), in_test] = right
    return Forecasts(probabilities, hard=in_test.astype(np.int64))
