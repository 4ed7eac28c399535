"""What every pipeline keeps that is said to know the past only: guards that raise Leak.

Those on rows look at samples and folds, those on pipelines run them on shaken data.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.bundle.checks import Leak
from training.evidence.intervals import per_session, ratio
from training.forecast import Floats, Values
from training.objective import Forecasts
from training.samples.folds import Fold, WalkForward
from training.samples.samples import Samples, from_matrix, stamp

Pipeline: TypeAlias = Callable[[Samples, Fold], Floats]
Forecaster: TypeAlias = Callable[[Samples, Samples], Forecasts]

_TOLERANCE = 1e-9
_SURE = 0.01  # the p-value of a gain that is none by chance


def require_purged(samples: Samples, fold: Fold) -> None:
    """Every training row is older than the test rows, and its truth was known when they began."""
    begins = samples.as_of[fold.test].min()
    if (late := samples.as_of[fold.train] >= begins).any():
        raise Leak(f"{late.sum()} training rows were decided after the test began ({begins})")
    unknown = samples.settled_at[fold.train] > begins
    if unknown.any():
        raise Leak(
            f"the truth of {unknown.sum()} training rows settles after the test began ({begins}): "
            "labels overlap, purge by settled_at"
        )


def require_out_of_sample(said: Sequence[Forecasts], test: Samples) -> None:
    """Whoever spoke of the test rows had learnt from no truth that settled after them.

    said: forecasts that are to be combined or calibrated. What is fitted on answers to rows that
    were learnt from prefers who knows them by heart.
    """
    for one in said:
        if one.learnt is None:
            raise Leak(
                "expected forecasts that tell up to when their maker had learnt, found some that "
                "do not: combine what `walk` gives, or run `python -m training fit` anew"
            )
        late = one.learnt > test.as_of
        if late.any():
            raise Leak(
                f"{late.sum()} of {len(test)} forecasts that are to be combined are in-fold: their "
                f"maker had learnt up to {one.learnt[late].max()}, the first of them was decided "
                f"at {test.as_of[late].min()}"
            )


def require_horizon(samples: Samples, horizon: int) -> None:
    """No label settles before `horizon` sessions have followed its decision.

    They are counted both over all rows and over the instrument's own: a delisting ends a horizon
    early, and a session may have no row of one instrument.
    """
    closes = np.unique(samples.as_of)
    due = np.minimum(np.searchsorted(closes, samples.as_of) + horizon, len(closes) - 1)
    order = np.lexsort((samples.as_of, samples.instruments))
    now, later = order[:-horizon], order[horizon:]
    own = samples.instruments[now] == samples.instruments[later]
    now, later = now[own], later[own]
    settled = samples.settled_at[now]
    early = (settled < closes[due[now]]) & (settled < samples.as_of[later])
    if early.any():
        raise Leak(
            f"{early.sum()} labels settle in fewer than {horizon} sessions: these rows do not "
            f"answer for a horizon of {horizon}"
        )


def require_unread(trained_until: datetime | None, samples: Samples) -> None:
    """An encoder that learnt from texts or rows up to a moment (UTC) speaks of later ones only."""
    if trained_until is not None and len(samples):
        read = samples.as_of <= stamp(trained_until)
        if read.any():
            raise Leak(
                f"the encoder has learnt up to {trained_until:%Y-%m-%d %H:%M}: what it says of "
                f"{read.sum()} rows that are to be foretold, decided from "
                f"{samples.as_of[read].min()} on, is no forecast; name one that learnt until a "
                "session before them"
            )


def require_blind(pipeline: Pipeline, matrix: pa.Table, cut: WalkForward) -> None:
    """The forecasts of the newest fold do not move with its truth, nor with later values.

    pipeline: from samples and a fold to the forecasts of its test rows. It is run three times: as
    it is, with the test's truth turned round, with the values of the test's second half shaken.
    """
    samples = from_matrix(matrix)
    fold = cut.split(samples)[-1]
    days = np.unique(samples.sessions[fold.test])
    first, middle = days[0], days[len(days) // 2]
    plain = pipeline(samples, fold)
    session = matrix["session"].to_numpy().astype("datetime64[D]")
    truths = matrix["label"].to_numpy(zero_copy_only=False)
    mirror = np.nanmin(truths) + np.nanmax(truths) - truths
    other = pa.array(np.where(session >= first, mirror, truths), from_pandas=True)
    turned = from_matrix(_with(matrix, {"label": other}))
    if _moved(pipeline(turned, fold), plain):
        raise Leak("forecasts move with the truth that they are scored on")
    later = session > middle
    shaken = {
        name: pa.array(np.where(later, 7.0 - 40.0 * _column(matrix, name), _column(matrix, name)))
        for name in samples.features
    }
    early = samples.sessions[fold.test] <= middle
    if _moved(pipeline(from_matrix(_with(matrix, shaken)), fold)[early], plain[early]):
        raise Leak("forecasts move with values of later sessions")


def require_best_chances(forecaster: Forecaster, samples: Samples, fold: Fold) -> None:
    """No simple recalibration that the training rows suggest makes a baseline's loss smaller.

    forecaster: from training and asked rows to what it says of those asked. Whoever is compared
    with a baseline that says more or less than its rule can know beats a straw man. Tried is the
    objective's own recalibration, by each of its judged losses and their margins.
    """
    train, test = samples.take(fold.train), samples.take(fold.test)
    said, answer = forecaster(train, train), forecaster(train, test)
    objective = answer.objective
    better = objective.recalibrated(said, train.truth, answer)
    for loss in objective.judged:
        gains = loss.of(answer, test.truth) - loss.of(better, test.truth)
        counts = np.isfinite(gains)
        days, sums, rows = per_session(gains[counts], test.sessions[counts])
        found = ratio(sums, rows)
        if found.value > loss.margin and found.p_value < _SURE:
            raise Leak(
                f"recalibrated as its training rows suggest, it has a {loss.words} "
                f"{found.value:.4f} {loss.unit} smaller (p = {found.p_value:.4f}, {len(days)} "
                "sessions): a baseline must be at its best"
            )


def require_own_history(gather: Callable[[Samples], Values], matrix: pa.Table) -> None:
    """What is gathered of one instrument's rows does not move with the others' values.

    gather: from samples to their windows (n, window, k).
    """
    names = np.array(matrix["instrument_id"].to_pylist())
    last = str(np.unique(names)[-1])
    samples = from_matrix(matrix)
    shaken = {
        name: pa.array(np.where(names == last, 1.0, 3.0) * _column(matrix, name))
        for name in samples.features
    }
    own = samples.instruments == last
    found, plain = gather(from_matrix(_with(matrix, shaken)))[own], gather(samples)[own]
    if not np.array_equal(found, plain, equal_nan=True):
        moved = (found != plain) & ~(np.isnan(found) & np.isnan(plain))
        raise Leak(f"{moved.any(axis=(1, 2)).sum()} sequences of {last} hold another one's rows")


def _moved(found: Floats, wanted: Floats) -> bool:
    return found.shape != wanted.shape or bool((np.abs(found - wanted) > _TOLERANCE).any())


def _column(matrix: pa.Table, name: str) -> NDArray[np.float32]:
    return np.asarray(matrix[name].to_numpy(zero_copy_only=False), dtype=np.float32)


def _with(matrix: pa.Table, columns: dict[str, pa.Array]) -> pa.Table:
    for name, column in columns.items():
        place = matrix.column_names.index(name)
        matrix = matrix.set_column(place, name, column.cast(matrix.schema.field(name).type))
    return matrix
