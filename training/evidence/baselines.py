"""The naive forecasts that every number stands beside, at their best: fitted inside the fold."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from training.experts.class_prior import ClassPrior
from training.forecast import CLASSES, DOWN, UP, Forecasts, Labels, normalised
from training.samples.samples import UNKNOWN, Samples

Baseline: TypeAlias = Callable[[Samples, Samples], Forecasts]


def class_prior(train: Samples, test: Samples) -> Forecasts:
    """The training frequencies; its class is always the training majority."""
    prior = ClassPrior()
    return prior.forecast(prior.fit(train), test)


def persistence(train: Samples, test: Samples) -> Forecasts:
    """The class of the instrument's newest settled label; without one, the training majority."""
    return _at_best(train.persistence, test.persistence, train)


def reversal(train: Samples, test: Samples) -> Forecasts:
    """Against the return of the sessions before: down after a rise, up after a fall."""
    return _at_best(_against(train), _against(test), train)


def always_up(train: Samples, test: Samples) -> Forecasts:
    """Up, whatever happens."""
    return _at_best(np.full(len(train), UP), np.full(len(test), UP), train)


BASELINES: dict[str, Baseline] = {
    "class_prior": class_prior,
    "persistence": persistence,
    "reversal": reversal,
    "always_up": always_up,
}


def _against(rows: Samples) -> Labels:
    risen, fallen = rows.return_before > 0, rows.return_before < 0
    return np.where(risen, DOWN, np.where(fallen, UP, UNKNOWN)).astype(np.int64)


def _at_best(in_train: Labels, in_test: Labels, train: Samples) -> Forecasts:
    # A rule names classes, or UNKNOWN. The best that can be said for it under any loss of
    # chances: how often each class followed in training where it said the same. A thin row
    # leans on the frequencies of all.
    chances = ClassPrior().fit(train)
    table = np.tile(len(CLASSES) * chances, (len(CLASSES) + 1, 1))
    np.add.at(table, (in_train, train.labels), 1.0)
    majority = int(chances.argmax())
    return Forecasts(
        normalised(table)[in_test],
        hard=np.where(in_test == UNKNOWN, majority, in_test).astype(np.int64),
    )
