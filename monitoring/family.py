"""What an alarm family is: one number per session of a champion, which may leave its past.

@family("confidence")
def confidence(watched: Watched) -> Track | None: ...
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from contracts.champion import Champion
from contracts.cut import Cut
from contracts.registry import Registry
from contracts.store import Store
from contracts.time.calendar import shift
from training.bundle.bundle import Bundle
from training.bundle.text_model import text_model
from training.forecast import Floats

Days: TypeAlias = NDArray[np.datetime64]

_IN_OFFICE = """
SELECT min(session) AS session FROM predictions
WHERE universe = %s AND target = %s AND bundle = %s AND origin = 'live' AND issued_at >= %s
"""


@dataclass(frozen=True)
class Track:
    """One number per session, (n,) each, in the order of time; what is not known is NaN.

    overlap: sessions that one number tells of, as a label of several does. least: sessions of a
    past by which it can be calibrated, where it takes more than any does.
    """

    sessions: Days
    values: Floats
    overlap: int = 1
    least: int = 0

    def known(self) -> "Track":
        """Without the sessions of which nothing is known."""
        told = np.isfinite(self.values)
        return Track(self.sessions[told], self.values[told], self.overlap, self.least)


@dataclass(frozen=True)
class Watched:
    """A champion in office at a session, the cut's last, and what families ask about it.

    now: UTC, when this is asked.
    """

    store: Store
    held: Champion
    bundle: Bundle
    cut: Cut
    now: datetime

    @property
    def place(self) -> tuple[str, str, str]:
        """Its universe, target and bundle, as the ledgers name them."""
        return self.held.universe, self.held.target, self.held.bundle

    @cached_property
    def begins(self) -> date:
        """The first session that it was asked about in office: what came before is its past."""
        since = (*self.place, self.held.decided_at)
        first: date | None = self.store.query(_IN_OFFICE, since)["session"][0].as_py()
        return self.cut.last if first is None else min(first, self.cut.last)

    @cached_property
    def text_model(self) -> str:
        """Whom its texts are read by; empty where it reads none."""
        return text_model(self.store, self.bundle.manifest)

    @cached_property
    def spans(self) -> tuple[Cut, ...]:
        """What it learnt from, as known then, and the sessions since; raises MatrixMissing."""
        from monitoring.feature_drift import learnt_from

        learnt = learnt_from(self.store, self.cut, self.bundle.manifest, self.text_model)
        if learnt.last >= self.cut.last:
            return (learnt,)
        since = self.cut.since(shift(self.cut.universe.calendar, learnt.last, 1))
        return learnt, since

    def before(self, sessions: Days, least: int = 0) -> int:
        """How many of the sessions are its past: those before it came into office."""
        return max(least, int(np.searchsorted(sessions, np.datetime64(self.begins, "D"))))


Tracked: TypeAlias = Callable[[Watched], Track | None]


@dataclass(frozen=True)
class Family:
    """A declared alarm family.

    track: None where the champion has no such numbers. both: whether a fall alarms as a rise does.
    limit: a number that is an alarm by itself, of a family that is no matter of chance; None where
    the past sets the limits.
    """

    name: str
    track: Tracked
    both: bool
    limit: float | None


FAMILIES: Registry[Family] = Registry("alarm family", "monitoring.alarms")


def family(
    name: str, *, both: bool = False, limit: float | None = None
) -> Callable[[Tracked], Tracked]:
    """Declare the decorated function as the alarm family of that name."""

    def declare(track: Tracked) -> Tracked:
        FAMILIES.add(name, Family(name, track, both, limit))
        return track

    return declare
