"""What every answer of a model keeps: guards that raise Leak. Light: numpy only."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from contracts.expected import Expected
from training.forecast import Floats, Head, Values

Answering: TypeAlias = Callable[[Values], Floats]

# Inputs that are further than this from the training's magnitude are in another unit.
FAR = 25.0
# Networks add up in another order when they are asked about fewer rows.
TOLERANCE = 1e-5


class Leak(Expected, ValueError):
    """Training or an answer looks at what it must not; the message says where."""


def require_own_rows(head: Head, model: Answering, values: Values) -> None:
    """A row's answer does not depend on which other rows are asked about beside it."""
    together = _sound(head, model, values)
    unit = head.unit(together)
    if _moved(_sound(head, model, values[::-1])[::-1], together, unit):
        raise Leak("answers change with the order in which rows are asked about")
    for row in np.linspace(0, len(values) - 1, 5).astype(int):
        alone = _sound(head, model, values[row : row + 1])
        if _moved(alone, together[row : row + 1], unit):
            raise Leak(f"row {row} asked about alone gets another answer than among others")


def require_known_answers(head: Head, model: Answering, values: Values, answers: Floats) -> None:
    """A served model answers golden inputs as the trained one did."""
    found = _sound(head, model, values)
    apart = float(np.abs(found - answers).max(initial=0.0)) / head.unit(answers)
    if not apart <= TOLERANCE:
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


def _sound(head: Head, model: Answering, values: Values) -> Floats:
    found = model(values)
    head.require(found)
    return found


def _moved(found: Floats, wanted: Floats, unit: float) -> bool:
    return found.shape != wanted.shape or bool((np.abs(found - wanted) > TOLERANCE * unit).any())
