"""What a planted leak is: the way a pipeline goes wrong, and the guard that must see it.

    @leak(planted="training", caught_by="WalkForward.split")
    def shuffled_split(lab: Lab, planted: bool) -> None: ...

The function runs the guard on the pipeline with the leak or, `planted` being False, on its clean
twin. A guard that sees something raises one of its own errors; that is the evidence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from contracts.registry import Registry
from features.guards.hindsight import Hindsight
from features.guards.of_labels import LabelLeak
from training.bundle.checks import Leak
from training.forecast import ForecastError
from training.leaklab.market import Lab
from training.samples.folds import ShuffledTime

Room: TypeAlias = Literal["features", "training", "serving"]

# What guards raise when they see a leak; anything else is a fault of the lab.
ALARMS = (Hindsight, LabelLeak, ShuffledTime, Leak, ForecastError)


@dataclass(frozen=True)
class Plant:
    """A leak by name, the room in which it is planted, and the guard that must catch it."""

    name: str
    planted: Room
    caught_by: str
    run: Callable[[Lab, bool], None]

    def alarm(self, lab: Lab, planted: bool) -> str:
        """What the guard says of the planted or the clean pipeline; empty when it is content."""
        try:
            self.run(lab, planted)
        except ALARMS as alarm:
            return str(alarm)
        return ""


LEAKS: Registry[Plant] = Registry("leak", "training.leaklab.leaks")


def leak(
    *, planted: Room, caught_by: str
) -> Callable[[Callable[[Lab, bool], None]], Callable[[Lab, bool], None]]:
    """Declare the function as the leak of its name."""

    def declare(run: Callable[[Lab, bool], None]) -> Callable[[Lab, bool], None]:
        LEAKS.add(run.__name__, Plant(run.__name__, planted, caught_by, run))
        return run

    return declare
