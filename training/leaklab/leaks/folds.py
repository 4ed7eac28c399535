"""Training that sees its own examination, caught by the splitter and the guards of pipelines."""

from dataclasses import replace
from datetime import UTC, timedelta

import numpy as np

from training.bundle.scaler import Scaler
from training.encoders.encoding import learn
from training.encoders.kinds.pca import pca
from training.evidence.guards import (
    require_blind,
    require_horizon,
    require_out_of_sample,
    require_own_history,
    require_purged,
    require_unread,
)
from training.evidence.walk import Learner, tested, walk
from training.experts.logistic import Logistic
from training.forecast import Classes, Floats, Values
from training.leaklab.leak import leak
from training.leaklab.market import FEATURES, HORIZON, Lab
from training.objective import OBJECTIVES, Truth
from training.samples.folds import Fold, WalkForward
from training.samples.samples import Samples, from_matrix

_CUT = WalkForward(count=3)
_OWN = "training.evidence.guards."


@leak(planted="training", caught_by="training.samples.folds.WalkForward.split")
def shuffled_split(lab: Lab, planted: bool) -> None:
    """Rows in random order, so that a block of them spans all of time."""
    samples = from_matrix(lab.matrix)
    order = np.arange(len(samples))
    if planted:
        np.random.default_rng(lab.seed).shuffle(order)
    _CUT.split(samples.take(order))


def _unpurged(lab: Lab, gap: int) -> tuple[Samples, Fold]:
    samples = from_matrix(lab.matrix)
    fold = _CUT.split(samples)[-1]
    days = np.unique(samples.sessions)
    first = int(np.searchsorted(days, samples.sessions[fold.test[0]]))
    train = np.flatnonzero(samples.sessions < days[first - gap])
    return samples, Fold(train, fold.test)


@leak(planted="training", caught_by=_OWN + "require_purged")
def no_purge(lab: Lab, planted: bool) -> None:
    """Labels of five sessions overlap, and training ends where the test begins."""
    samples = from_matrix(lab.matrix)
    require_purged(*(_unpurged(lab, 0) if planted else (samples, _CUT.split(samples)[-1])))


@leak(planted="training", caught_by=_OWN + "require_purged")
def short_purge(lab: Lab, planted: bool) -> None:
    """The leading edge is purged by one session too few."""
    samples = from_matrix(lab.matrix)
    require_purged(
        *(_unpurged(lab, HORIZON - 2) if planted else (samples, _CUT.split(samples)[-1]))
    )


@leak(planted="training", caught_by=_OWN + "require_horizon")
def ignored_horizon(lab: Lab, planted: bool) -> None:
    """One model answers for ten sessions that was taught five."""
    require_horizon(from_matrix(lab.matrix), 2 * HORIZON if planted else HORIZON)


@leak(planted="training", caught_by=_OWN + "require_unread")
def read_the_test(lab: Lab, planted: bool) -> None:
    """The sentiment model was trained on the texts of the test period."""
    samples = from_matrix(lab.matrix)
    test = samples.take(_CUT.split(samples)[-1].test)
    began = test.as_of.min().astype("datetime64[us]").item()
    later = timedelta(days=30 if planted else -30)
    require_unread(began.replace(tzinfo=UTC) + later, test)


@leak(planted="training", caught_by=_OWN + "require_unread")
def encoder_of_the_test(lab: Lab, planted: bool) -> None:
    """The registered encoder was learnt of a matrix that holds the test rows."""
    samples = from_matrix(lab.matrix)
    fold = _CUT.split(samples)[-1]
    seen = samples.take(np.concatenate([fold.train, fold.test]) if planted else fold.train)
    until = seen.as_of.max().astype("datetime64[us]").item().replace(tzinfo=UTC)
    made = learn("pca", 2, "0" * 16, FEATURES, (seen.values, until))
    require_unread(made.trained_until, samples.take(fold.test))


@leak(planted="training", caught_by=_OWN + "require_blind")
def encoder_on_all_rows(lab: Lab, planted: bool) -> None:
    """An expert's encoder learns of all rows, the test's included: they need no truth for it."""

    def pipeline(samples: Samples, fold: Fold) -> Floats:
        known = samples.values if planted else samples.values[fold.train]
        scaler = Scaler.fit(known)
        down, _ = pca(scaler.apply(known), 2)
        codes = down.apply(scaler.apply(samples.values)).astype(np.float32)
        return _forecast(codes, samples.truth, fold, 1.0)

    require_blind(pipeline, lab.matrix, _CUT)


@leak(planted="training", caught_by=_OWN + "require_blind")
def scaler_on_all_rows(lab: Lab, planted: bool) -> None:
    """Means and deviations are those of all rows, the test's included."""

    def pipeline(samples: Samples, fold: Fold) -> Floats:
        known = samples.values if planted else samples.values[fold.train]
        values = (samples.values - known.mean(axis=0)) / known.std(axis=0)
        return _forecast(values, samples.truth, fold, 1.0)

    require_blind(pipeline, lab.matrix, _CUT)


@leak(planted="training", caught_by=_OWN + "require_blind")
def stopped_on_the_test(lab: Lab, planted: bool) -> None:
    """How long to train is decided by the score on the test rows."""

    def pipeline(samples: Samples, fold: Fold) -> Floats:
        watched = fold.test if planted else fold.train[-200:]
        scores = {}
        for sharpness in (0.0, 0.3, 1.0):
            chances = _forecast(samples.values, samples.truth, Fold(fold.train, watched), sharpness)
            told = chances[np.arange(len(watched)), samples.truth[watched]]
            scores[sharpness] = float(np.log(told).mean())
        best = max(scores, key=lambda sharpness: scores[sharpness])
        return _forecast(samples.values, samples.truth, fold, best)

    require_blind(pipeline, lab.matrix, _CUT)


@leak(planted="training", caught_by=_OWN + "require_out_of_sample")
def stacked_in_fold(lab: Lab, planted: bool) -> None:
    """An ensemble is fitted on what its members say of the rows that they learnt from."""
    samples = from_matrix(lab.matrix)
    folds = _CUT.split(samples)
    learner = Learner(Logistic(), OBJECTIVES.get("trend"))
    test = samples.take(tested(folds))
    said = learner.answer(samples, test) if planted else walk(learner, samples, folds).forecasts
    require_out_of_sample([said], test)


@leak(planted="training", caught_by=_OWN + "require_own_history")
def sequence_over_the_border(lab: Lab, planted: bool) -> None:
    """Sequences are cut from one long table, wherever an instrument begins."""

    def gather(samples: Samples) -> Values:
        history = samples.history
        if planted:
            history = replace(history, starts=np.zeros_like(history.starts))
        return history.windows(samples.rows, 10)

    require_own_history(gather, lab.matrix)


def _forecast(values: Values, truth: Truth, fold: Fold, sharpness: float) -> Floats:
    """Each class by how near its training mean lies, in training deviations."""
    spread = values[fold.train].std(axis=0)
    means = np.stack([values[fold.train][truth[fold.train] == c].mean(axis=0) for c in range(3)])
    far = ((values[fold.test][:, None] - means) / spread) ** 2
    return Classes(3).from_means(np.exp(np.clip(-sharpness * far.sum(axis=2), -30, 30)))
