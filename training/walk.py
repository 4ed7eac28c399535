"""Out-of-sample forecasts: fitted on each fold once, kept, and used by all that follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.ensemble import Ensemble
from training.expert import Expert
from training.folds import Fold, WalkForward
from training.forecast import Forecasts
from training.guards import require_purged
from training.samples import Samples
from training.score import METRICS, tally


@dataclass(frozen=True)
class Walk:
    """What a forecaster said of each fold's test rows, the folds one after another.

    null: metric -> scores on the newest fold when the training labels are permuted; empty for an
    ensemble, which has no training labels of its own.
    """

    forecasts: Forecasts
    null: Mapping[str, Sequence[float]]


def tested(folds: Sequence[Fold]) -> NDArray[np.intp]:
    """The test rows of all folds."""
    return np.concatenate([fold.test for fold in folds])


def walk(
    expert: Expert[Any],
    samples: Samples,
    folds: Sequence[Fold],
    permutations: int = 0,
    seed: int = 0,
) -> Walk:
    """Fit the expert on each fold and forecast what came after. Raises TrainingError, Leak."""
    for fold in folds:
        require_purged(samples, fold)
    answers = [_answer(expert, samples.take(f.train), samples.take(f.test)) for f in folds]
    said = Forecasts(np.concatenate([a.probabilities for a in answers]))
    return Walk(said, _null(expert, samples, folds[-1], permutations, seed))


def walk_together(
    ensemble: Ensemble, members: Sequence[Forecasts], samples: Samples, folds: Sequence[Fold]
) -> Walk:
    """What the ensemble said out of sample: in each fold fitted on the folds before it only.

    members: the experts' out-of-sample forecasts of `tested(folds)`. A row of an earlier fold
    counts when its truth had settled before the fold begins.
    """
    chances = np.stack([m.probabilities for m in members])
    rows, parts = tested(folds), []
    labels, settled_at = samples.labels[rows], samples.settled_at[rows]
    start = 0
    for fold in folds:
        known = np.flatnonzero(settled_at[:start] <= samples.as_of[fold.test].min())
        parameters = ensemble.fit(chances[:, known], labels[known])
        stop = start + len(fold.test)
        parts.append(ensemble.combine(parameters, chances[:, start:stop]))
        start = stop
    return Walk(Forecasts(np.concatenate(parts)), {})


def mean_log_loss(expert: Expert[Any], samples: Samples, cut: WalkForward) -> float:
    """The mean of the folds' out-of-sample log losses: what tuning makes small."""
    scores = []
    for fold in cut.split(samples):
        test = samples.take(fold.test)
        answer = _answer(expert, samples.take(fold.train), test)
        scores.append(tally(answer, test.labels, test.sessions).scores()["log_loss"][0])
    return float(np.mean(scores))


def _answer(expert: Expert[Any], train: Samples, test: Samples) -> Forecasts:
    return expert.forecast(expert.fit(train), test)


def _null(
    expert: Expert[Any], samples: Samples, fold: Fold, permutations: int, seed: int
) -> dict[str, list[float]]:
    # The newest fold only: it has the most training rows.
    train, test = samples.take(fold.train), samples.take(fold.test)
    random = np.random.default_rng(seed)
    found: dict[str, list[float]] = {m: [] for m in METRICS}
    for _ in range(permutations):
        mixed = train.relabelled(random.permutation(train.labels))
        answer = _answer(expert, mixed, test)
        scores = tally(answer, test.labels, test.sessions).scores()
        for metric in METRICS:
            found[metric].append(float(scores[metric][0]))
    return found
