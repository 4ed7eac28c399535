"""What every pipeline and every answer keeps: guards that raise Leak with what they found.

Those on rows look at samples and folds, those on pipelines run them on shaken data, those on
answers ask a model about rows whose answers are known.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.folds import Fold, WalkForward
from training.forecast import Floats, Forecasts, Values
from training.samples import Samples, from_matrix, stamp

Pipeline: TypeAlias = Callable[[Samples, Fold], Floats]
Model: TypeAlias = Callable[[Values], Floats]

# Inputs that are further than this from the training's scale are in another unit.
FAR = 25.0
_TOLERANCE = 1e-9


class Leak(ValueError):
    """Training or an answer looks at what it must not; the message says where."""


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


def require_horizon(samples: Samples, horizon: int) -> None:
    """No label settles before `horizon` of the samples' sessions have followed its decision."""
    closes = np.unique(samples.as_of)
    due = np.searchsorted(closes, samples.as_of) + horizon
    inside = due < len(closes)
    early = samples.settled_at[inside] < closes[due[inside]]
    if early.any():
        raise Leak(
            f"{early.sum()} labels settle in fewer than {horizon} sessions: these rows do not "
            f"answer for a horizon of {horizon}"
        )


def require_unread(trained_until: datetime | None, samples: Samples) -> None:
    """An encoder that learnt from texts up to a moment (UTC) may score later ones only."""
    if trained_until is not None and len(samples):
        read = samples.as_of < stamp(trained_until)
        if read.any():
            raise Leak(
                f"the encoder was trained on texts up to {trained_until:%Y-%m-%d}: its sentiments "
                f"of {read.sum()} rows before are no forecasts"
            )


def require_blind(pipeline: Pipeline, matrix: pa.Table, cut: WalkForward) -> None:
    """The forecasts of the newest fold do not move with its labels, nor with later values.

    pipeline: from samples and a fold to the forecasts of its test rows. It is run three times: as
    it is, with the test's labels turned round, with the values of the test's second half shaken.
    """
    samples = from_matrix(matrix)
    fold = cut.split(samples)[-1]
    days = np.unique(samples.sessions[fold.test])
    first, middle = days[0], days[len(days) // 2]
    plain = pipeline(samples, fold)
    session = matrix["session"].to_numpy().astype("datetime64[D]")
    truths = matrix["label"].to_numpy(zero_copy_only=False)
    other = np.where(session >= first, 2.0 - truths, truths)
    turned = from_matrix(_with(matrix, {"label": pa.array(other, pa.int64(), from_pandas=True)}))
    if _moved(pipeline(turned, fold), plain):
        raise Leak("forecasts move with the labels that they are scored on")
    later = session > middle
    shaken = {
        name: pa.array(np.where(later, 7.0 - 40.0 * _column(matrix, name), _column(matrix, name)))
        for name in samples.features
    }
    early = samples.sessions[fold.test] <= middle
    if _moved(pipeline(from_matrix(_with(matrix, shaken)), fold)[early], plain[early]):
        raise Leak("forecasts move with values of later sessions")


def require_own_rows(model: Model, values: Values) -> None:
    """A row's answer does not depend on which other rows are asked about beside it."""
    together = _sound(model, values)
    if _moved(_sound(model, values[::-1])[::-1], together):
        raise Leak("answers change with the order in which rows are asked about")
    for row in np.linspace(0, len(values) - 1, 5).astype(int):
        if _moved(_sound(model, values[row : row + 1]), together[row : row + 1]):
            raise Leak(f"row {row} asked about alone gets another answer than among others")


def require_known_answers(model: Model, values: Values, answers: Floats) -> None:
    """A served model answers golden inputs as the trained one did."""
    found = _sound(model, values)
    apart = float(np.abs(found - answers).max(initial=0.0))
    if not apart <= 1e-6:
        raise Leak(f"answers to golden inputs are off by {apart:.3g}: not the model as trained")


def require_same_units(reference: Values, values: Values, names: Sequence[str]) -> None:
    """Inputs are of the training's magnitude: a fraction does not come in percent.

    reference, values: (n, ..., k) of training and of now; compared by the 90 % quantile of absolute
    values per feature, where both have 20 that are not null or 0.
    """
    for place, name in enumerate(names):
        then, now = _magnitude(reference[..., place]), _magnitude(values[..., place])
        if then and now and not 1 / FAR < now / then < FAR:
            raise Leak(
                f"{name} is {now / then:.3g} times as large as in training ({now:.3g}, then "
                f"{then:.3g}): another unit or another column"
            )


def _magnitude(values: NDArray[np.floating]) -> float | None:
    size = np.abs(values[np.isfinite(values) & (values != 0)])
    return float(np.quantile(size, 0.9)) if len(size) >= 20 else None


def _sound(model: Model, values: Values) -> Floats:
    return Forecasts(model(values)).probabilities


def _moved(found: Floats, wanted: Floats) -> bool:
    return found.shape != wanted.shape or bool((np.abs(found - wanted) > _TOLERANCE).any())


def _column(matrix: pa.Table, name: str) -> NDArray[np.float32]:
    return np.asarray(matrix[name].to_numpy(zero_copy_only=False), dtype=np.float32)


def _with(matrix: pa.Table, columns: dict[str, pa.Array]) -> pa.Table:
    for name, column in columns.items():
        place = matrix.column_names.index(name)
        matrix = matrix.set_column(place, name, column)
    return matrix
