"""The naive forecasts that every number stands beside, fitted inside the fold like any other."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from training.experts.class_prior import ClassPrior
from training.forecast import CLASSES, DOWN, UP, Floats, Forecasts, Labels
from training.samples import UNKNOWN, Samples

Baseline: TypeAlias = Callable[[Samples, Samples], Forecasts]


def class_prior(train: Samples, test: Samples) -> Forecasts:
    """The training frequencies; its class is always the training majority."""
    prior = ClassPrior()
    return prior.forecast(prior.fit(train), test)


def persistence(train: Samples, test: Samples) -> Forecasts:
    """The class of the instrument's newest settled label; without one, the training majority."""
    return _hard(_last(train, train), _last(train, test), train)


def reversal(train: Samples, test: Samples) -> Forecasts:
    """Against the return of the sessions before: down after a rise, up after a fall."""
    return _hard(_against(train, train), _against(train, test), train)


def always_up(train: Samples, test: Samples) -> Forecasts:
    """Up, whatever happens."""
    return _hard(np.full(len(train), UP), np.full(len(test), UP), train)


BASELINES: dict[str, Baseline] = {
    "class_prior": class_prior,
    "persistence": persistence,
    "reversal": reversal,
    "always_up": always_up,
}


def _majority(train: Samples) -> int:
    return int(np.bincount(train.labels, minlength=len(CLASSES)).argmax())


def _last(train: Samples, rows: Samples) -> Labels:
    unknown = rows.persistence == UNKNOWN
    return np.where(unknown, _majority(train), rows.persistence).astype(np.int64)


def _against(train: Samples, rows: Samples) -> Labels:
    risen, fallen = rows.return_before > 0, rows.return_before < 0
    return np.where(risen, DOWN, np.where(fallen, UP, _majority(train))).astype(np.int64)


def _hard(in_train: Labels, in_test: Labels, train: Samples) -> Forecasts:
    # A hard class gets the share of training rows in which it was right, the others the rest:
    # the best that can be said for it under the log loss.
    right = (np.sum(in_train == train.labels) + 1) / (len(train) + 2)
    probabilities: Floats = np.full((len(in_test), len(CLASSES)), (1 - right) / (len(CLASSES) - 1))
    probabilities[np.arange(len(in_test)), in_test] = right
    return Forecasts(probabilities, hard=in_test.astype(np.int64))
