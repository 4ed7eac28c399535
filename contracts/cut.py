"""What a step may look at: sessions of a universe, and the loads up to one."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from contracts.time.calendar import last_sessions, session_close, sessions
from contracts.universe import Universe


@dataclass(frozen=True)
class Cut:
    """The sessions `first` to `last` of a universe, both included, as known at a snapshot."""

    universe: Universe
    first: date
    last: date
    snapshot: int

    @classmethod
    def at(cls, universe: Universe, session: date, snapshot: int) -> "Cut":
        """One session alone."""
        return cls(universe, session, session, snapshot)

    @property
    def sessions(self) -> list[date]:
        """The sessions of the universe's calendar; its instruments may have others besides."""
        return sessions(self.universe.calendar, self.first, self.last)

    @property
    def end(self) -> datetime:
        """The close of the last session (UTC); raises NotASession, NotKnown."""
        return session_close(self.universe.calendar, self.last)

    def until(self, session: date) -> "Cut":
        """The same up to that session."""
        return replace(self, last=session)

    def since(self, session: date) -> "Cut":
        """The same from that day on."""
        return replace(self, first=session)

    def back(self, count: int) -> "Cut":
        """The last `count` sessions of it and of what lies before; raises NotASession, NotKnown."""
        return self.since(last_sessions(self.universe.calendar, self.last, count)[0])
