"""Comparisons that flatter: baselines that are kept from their best."""

import numpy as np

from training.evidence.guards import require_best_chances
from training.leaklab.leak import leak
from training.leaklab.market import Lab
from training.objective import OBJECTIVES, Forecasts, Rows
from training.objectives.trend import CLASSES, NEUTRAL, UP, always_up
from training.samples.folds import WalkForward
from training.samples.samples import from_matrix


def _straw_man(train: Rows, test: Rows) -> Forecasts:
    share = np.mean(train.truth == UP)
    chances = np.full((len(test), len(CLASSES)), (1 - share) / (len(CLASSES) - 1))
    chances[:, UP] = share
    return Forecasts(OBJECTIVES.get("trend"), chances)


@leak(planted="training", caught_by="training.evidence.guards.require_best_chances")
def handicapped_baseline(lab: Lab, planted: bool) -> None:
    """Where few rows are neutral, always-up gives neutral half of what it does not give to up."""
    samples = from_matrix(lab.matrix)
    calm = (samples.truth == NEUTRAL) & (np.arange(len(samples)) % 4 > 0)
    samples = samples.with_truth(np.where(calm, UP, samples.truth))
    fold = WalkForward(count=1).split(samples)[-1]
    require_best_chances(_straw_man if planted else always_up, samples, fold)
