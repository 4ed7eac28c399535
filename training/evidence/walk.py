"""Out-of-sample forecasts: fitted on each fold once, kept, and used by all that follows."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.calibration import Calibration
from training.ensemble import Ensemble
from training.evidence.guards import require_out_of_sample, require_purged
from training.evidence.score import tally
from training.expert import Expert
from training.objective import Forecasts, Objective
from training.samples.folds import Fold, WalkForward
from training.samples.samples import Samples, Stamps


@dataclass(frozen=True)
class Walk:
    """What a forecaster said of each fold's test rows, the folds one after another.

    null: metric -> scores on the newest fold when the training rows' truth is permuted; empty for
    an ensemble, which has no training rows of its own.
    """

    forecasts: Forecasts
    null: Mapping[str, Sequence[float]]


Told = Callable[[str], None]


def silent(_line: str) -> None:
    """Progress that nobody asked for."""


def tested(folds: Sequence[Fold]) -> NDArray[np.intp]:
    """The test rows of all folds."""
    return np.concatenate([fold.test for fold in folds])


@dataclass(frozen=True)
class Learner:
    """Who learns, and by which objective it answers."""

    expert: Expert[Any]
    objective: Objective

    def answer(self, train: Samples, test: Samples) -> Forecasts:
        """What it says of the test rows once it has learnt the training rows."""
        fitted = self.expert.fit(train, self.objective.head)
        learnt = np.full(len(test), train.settled_at.max())
        return Forecasts(self.objective, self.expert.forecast(fitted, test), learnt=learnt)


@dataclass(frozen=True)
class Permuted:
    """How often the training rows' truth is permuted for the evidence, and by which draw."""

    times: int = 0
    seed: int = 0


def walk(
    learner: Learner,
    samples: Samples,
    folds: Sequence[Fold],
    permuted: Permuted = Permuted(),
    told: Told = silent,
) -> Walk:
    """Fit the expert on each fold and forecast what came after. Raises TrainingError, Leak."""
    for fold in folds:
        require_purged(samples, fold)
    answers = _answers(learner, samples, folds, told, cores())
    said = _joined(learner.objective, answers)
    null = _null(learner, samples, folds[-1], permuted)
    if permuted.times:
        told(f"{learner.expert.name}: {permuted.times} answers under permuted truths")
    return Walk(said, null)


def walk_together(
    ensemble: Ensemble, members: Sequence[Forecasts], samples: Samples, folds: Sequence[Fold]
) -> Walk:
    """What the ensemble said out of sample: in each fold fitted on the folds before it only.

    members: the experts' out-of-sample forecasts of `tested(folds)`. A row of an earlier fold
    counts when its truth had settled before the fold begins. Raises Leak on in-fold forecasts.
    """
    objective, test = members[0].objective, samples.take(tested(folds))
    require_out_of_sample(members, test)
    said, parts = np.stack([m.values for m in members]), []
    for part, known in _steps(samples, folds):
        parameters = ensemble.fit(objective, said[:, known], test.truth[known])
        values = ensemble.combine(parameters, said[:, part], objective.head)
        parts.append(Forecasts(objective, values, learnt=_latest(members, test, part, known)))
    return Walk(_joined(objective, parts), {})


def walk_calibrated(
    calibration: Calibration, walked: Walk, samples: Samples, folds: Sequence[Fold]
) -> Walk:
    """The walk, each fold calibrated by what came of the folds before it; the first is as it was.

    walked: out-of-sample forecasts of `tested(folds)`. Raises Leak on in-fold forecasts.
    """
    said, test = walked.forecasts, samples.take(tested(folds))
    require_out_of_sample([said], test)
    objective, parts = said.objective, []
    for part, known in _steps(samples, folds):
        parameters = calibration.fit(said.values[known], test.truth[known])
        values = calibration.apply(parameters, said.values[part])
        parts.append(Forecasts(objective, values, learnt=_latest([said], test, part, known)))
    return Walk(_joined(objective, parts), walked.null)


def _steps(samples: Samples, folds: Sequence[Fold]) -> Iterator[tuple[slice, NDArray[np.intp]]]:
    # Each fold's place among the tested rows, and the rows before whose truth was known then.
    settled_at, start = samples.settled_at[tested(folds)], 0
    for fold in folds:
        known = np.flatnonzero(settled_at[:start] <= samples.as_of[fold.test].min())
        yield slice(start, start + len(fold.test)), known
        start += len(fold.test)


def _latest(
    said: Sequence[Forecasts], test: Samples, part: slice, known: NDArray[np.intp]
) -> Stamps:
    learnt = np.max([one.learnt[part] for one in said if one.learnt is not None], axis=0)
    newest = test.settled_at[known].max(initial=learnt.min())
    return np.asarray(np.maximum(learnt, newest))


def _joined(objective: Objective, parts: Sequence[Forecasts]) -> Forecasts:
    values = np.concatenate([part.values for part in parts])
    learnt = np.concatenate([part.learnt for part in parts if part.learnt is not None])
    return Forecasts(objective, values, learnt=learnt)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def mean_score(
    learner: Learner,
    samples: Samples,
    cut: WalkForward,
    told: Told = silent,
    at_once: int = 1,
) -> float:
    """The mean over folds of the score that the objective's experts make small: what tuning tries.

    at_once: folds that may be fitted side by side. told: hears of each fold.
    """
    folds, metric = cut.split(samples), learner.objective.learned
    scores = []
    answers = _answers(learner, samples, folds, told, at_once)
    for fold, answer in zip(folds, answers, strict=True):
        test = samples.take(fold.test)
        scores.append(tally(answer, test.truth, test.sessions).scores()[metric][0])
    return float(np.mean(scores))


def _answers(
    learner: Learner, samples: Samples, folds: Sequence[Fold], told: Told, at_once: int
) -> list[Forecasts]:
    # Each fit keeps to one core, so that equal samples give equal answers on any machine; what
    # may run side by side are the folds.
    expert = learner.expert
    with ThreadPoolExecutor(min(at_once, len(folds)) if expert.threads else 1) as pool:
        # The newest fold has the most rows: begun first, it does not end alone.
        jobs = {
            pool.submit(learner.answer, samples.take(f.train), samples.take(f.test)): i
            for i, f in reversed(list(enumerate(folds)))
        }
        for done, job in enumerate(as_completed(jobs), 1):
            job.result()
            told(f"{expert.name}: fold {jobs[job] + 1} is answered ({done} of {len(folds)})")
        return [job.result() for job in sorted(jobs, key=jobs.__getitem__)]


def _null(
    learner: Learner, samples: Samples, fold: Fold, permuted: Permuted
) -> dict[str, list[float]]:
    # The newest fold only: it has the most training rows.
    train, test = samples.take(fold.train), samples.take(fold.test)
    random = np.random.default_rng(permuted.seed)
    found: dict[str, list[float]] = {m: [] for m in learner.objective.metrics}
    for _ in range(permuted.times):
        mixed = train.with_truth(random.permutation(train.truth))
        answer = learner.answer(mixed, test)
        for metric, value in tally(answer, test.truth, test.sessions).scores().items():
            found[metric].append(float(value[0]))
    return found
