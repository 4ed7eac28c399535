"""What a calibration is: answers mended so that they come true as often as they say. Light: numpy.

    @calibration("temperature", heads=(Classes,))
    class Temperature(Calibration): ...

It is fitted on what was said out of sample, in the order of time, and served within the bundle.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from contracts.registry import Registry
from training.forecast import Floats, Head
from training.objective import Truth


class Calibration(ABC):
    """One way of mending answers; members are classes under `@calibration`.

    heads: the forms of answers that it can mend. Fitting may take any library, applying only numpy.
    """

    name: ClassVar[str]
    heads: ClassVar[tuple[type[Head], ...]]

    @abstractmethod
    def fit(self, said: Floats, truth: Truth) -> Mapping[str, Any]:
        """Parameters, as plain JSON values, from answers (n, columns) and what came (n may be 0).

        Of too few rows none: then nothing is mended.
        """

    @abstractmethod
    def apply(self, parameters: Mapping[str, Any], values: Floats) -> Floats:
        """The answers (n, columns), mended."""


# Fewer rows say nothing of how often what is said comes true.
LEAST = 200

CALIBRATIONS: Registry[type[Calibration]] = Registry("calibration", "training.calibrations")

Member = TypeVar("Member", bound=type[Calibration])


def calibration(name: str, heads: tuple[type[Head], ...]) -> Callable[[Member], Member]:
    """Declare a class as the calibration `name` of answers of those forms."""

    def declare(member: Member) -> Member:
        member.name, member.heads = name, heads
        CALIBRATIONS.add(name, member)
        return member

    return declare
