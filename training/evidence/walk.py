"""Out-of-sample forecasts: fitted on each fold once, kept, and used by all that follows."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.ensemble import Ensemble
from training.evidence.guards import require_purged
from training.evidence.score import METRICS, tally
from training.expert import Expert
from training.forecast import Forecasts
from training.samples.folds import Fold, WalkForward
from training.samples.samples import Samples


@dataclass(frozen=True)
class Walk:
    """What a forecaster said of each fold's test rows, the folds one after another.

    null: metric -> scores on the newest fold when the training labels are permuted; empty for an
    ensemble, which has no training labels of its own.
    """

    forecasts: Forecasts
    null: Mapping[str, Sequence[float]]


Told = Callable[[str], None]


def silent(_line: str) -> None:
    """Progress that nobody asked for."""


def tested(folds: Sequence[Fold]) -> NDArray[np.intp]:
    """The test rows of all folds."""
    return np.concatenate([fold.test for fold in folds])


def walk(
    expert: Expert[Any],
    samples: Samples,
    folds: Sequence[Fold],
    permutations: int = 0,
    seed: int = 0,
    told: Told = silent,
) -> Walk:
    """Fit the expert on each fold and forecast what came after. Raises TrainingError, Leak."""
    for fold in folds:
        require_purged(samples, fold)
    answers = _answers(expert, samples, folds, told, cores())
    said = Forecasts(np.concatenate([a.probabilities for a in answers]))
    null = _null(expert, samples, folds[-1], permutations, seed)
    if permutations:
        told(f"{expert.name}: {permutations} answers under permuted labels")
    return Walk(said, null)


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


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def mean_log_loss(
    expert: Expert[Any],
    samples: Samples,
    cut: WalkForward,
    told: Told = silent,
    at_once: int = 1,
) -> float:
    """The mean of the folds' out-of-sample log losses: what tuning makes small.

    at_once: folds that may be fitted side by side. told: hears of each fold.
    """
    folds = cut.split(samples)
    scores = []
    answers = _answers(expert, samples, folds, told, at_once)
    for fold, answer in zip(folds, answers, strict=True):
        test = samples.take(fold.test)
        scores.append(tally(answer, test.labels, test.sessions).scores()["log_loss"][0])
    return float(np.mean(scores))


def _answers(
    expert: Expert[Any], samples: Samples, folds: Sequence[Fold], told: Told, at_once: int
) -> list[Forecasts]:
    # Each fit keeps to one core, so that equal samples give equal answers on any machine; what
    # may run side by side are the folds.
    with ThreadPoolExecutor(min(at_once, len(folds)) if expert.threads else 1) as pool:
        # The newest fold has the most rows: begun first, it does not end alone.
        jobs = {
            pool.submit(_answer, expert, samples.take(f.train), samples.take(f.test)): i
            for i, f in reversed(list(enumerate(folds)))
        }
        for done, job in enumerate(as_completed(jobs), 1):
            job.result()
            told(f"{expert.name}: fold {jobs[job] + 1} is answered ({done} of {len(folds)})")
        return [job.result() for job in sorted(jobs, key=jobs.__getitem__)]


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
