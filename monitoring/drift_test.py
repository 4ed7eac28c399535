"""What a drift test is: a score of how far a feature's values moved, and when that is too far.

@drift_test("psi", threshold=0.2)
def psi(reference: Values, current: Values) -> float: ...
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from contracts.expected import Expected
from contracts.registry import Registry

Values: TypeAlias = NDArray[np.float64]
Score: TypeAlias = Callable[[Values, Values], float]

# Of a place among ascending values, as numpy.searchsorted names them.
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


class NothingToCompare(Expected, ValueError):
    """A distribution without any value; the message says which."""


@dataclass(frozen=True)
class DriftTest:
    """A declared drift test.

    score: (reference (n,), current (m,)) -> a number that is near 0 for equal distributions and
    grows as they part, whatever the values' unit; nulls are NaN, and n and m at least 1. Whatever
    order the values are given in, the declared function sees them ascending, nulls last.
    threshold: no score below it is an alarm; where past windows of a feature scored higher, they
    set the limit. ceiling: what is an alarm whatever the past says; infinite for a score of which
    no size means that. joint: it is asked of what texts mean, (n, width) with a row per session in
    the order of time, and not of each feature.
    """

    name: str
    score: Score
    threshold: float
    ceiling: float
    joint: bool = False


DRIFT_TESTS: Registry[DriftTest] = Registry("drift test", "monitoring.drift")


def known(ascending: Values) -> Values:
    """The values before the nulls, which come last."""
    return ascending[: np.searchsorted(ascending, np.nan)]


def drift_test(
    name: str, threshold: float, ceiling: float = math.inf, *, joint: bool = False
) -> Callable[[Score], Score]:
    """Declare the decorated function as the drift test of that name; it is asked of no empty side.

    Asked of one it raises NothingToCompare.
    """

    def declare(score: Score) -> Score:
        @wraps(score)
        def of_values(reference: Values, current: Values) -> float:
            if not len(reference) or not len(current):
                raise NothingToCompare(
                    f"{name}: expected values on both sides, found {len(reference)} in the "
                    f"reference and {len(current)} now: leave out what has no rows"
                )
            if joint:
                return score(reference, current)
            # Stable: of values that ascend already, as a caller of many gives them, it is one look.
            return score(np.sort(reference, kind="stable"), np.sort(current, kind="stable"))

        DRIFT_TESTS.add(name, DriftTest(name, of_values, threshold, ceiling, joint))
        return of_values

    return declare
