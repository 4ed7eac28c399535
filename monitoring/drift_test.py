"""What a drift test is: a score of how far a feature's values moved, and when that is too far.

@drift_test("psi", threshold=0.2)
def psi(reference: Values, current: Values) -> float: ...
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from contracts.expected import Expected
from contracts.registry import Registry

Values: TypeAlias = NDArray[np.float64]
Score: TypeAlias = Callable[[Values, Values], float]


class NothingToCompare(Expected, ValueError):
    """A distribution without any value; the message says which."""


@dataclass(frozen=True)
class DriftTest:
    """A declared drift test.

    score: (reference (n,), current (m,)) -> a number that is near 0 for equal distributions and
    grows as they part, whatever the values' unit; nulls are NaN, and n and m at least 1. threshold:
    no score below it is an alarm; where past windows of a feature scored higher, they set the
    limit. ceiling: what is an alarm whatever the past says; infinite for a score of which no size
    means that. joint: it is asked of what texts mean, (n, width) with a row per session, and not of
    each feature.
    """

    name: str
    score: Score
    threshold: float
    ceiling: float
    joint: bool = False


DRIFT_TESTS: Registry[DriftTest] = Registry("drift test", "monitoring.drift")


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
            return score(reference, current)

        DRIFT_TESTS.add(name, DriftTest(name, of_values, threshold, ceiling, joint))
        return of_values

    return declare
