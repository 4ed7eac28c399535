"""Who belongs to a universe, and on which days they trade."""

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from contracts.cut import Cut
from contracts.expected import Expected
from contracts.store import Store
from contracts.tables import INSTRUMENTS, MEMBERSHIPS
from contracts.time import calendar
from contracts.time.exchange import canonical
from contracts.universe import Universe

log = logging.getLogger(__name__)


class NoFacts(Expected, LookupError):
    """The store holds nothing of a universe; the message names the verb to run."""


@dataclass(frozen=True)
class Members:
    """Who belongs to a universe (all versions), their sessions of a cut, and the last close."""

    frame: pl.DataFrame
    sessions: tuple[date, ...]
    end: datetime

    @property
    def ids(self) -> list[str]:
        """The instruments, sorted."""
        return sorted(self.frame["instrument_id"].unique())

    @property
    def calendars(self) -> list[str]:
        """On which they trade, sorted."""
        return sorted(self.frame["calendar"].unique())


def members(store: Store, cut: Cut) -> Members:
    """Members of the universe known by the last close; raises NoFacts, NotASession."""
    universe, first, last = cut.universe.name, cut.first, cut.last
    # Who trades where is asked with a margin, since the closing time is not known before.
    margin = datetime.combine(last, time(), UTC) + timedelta(days=2)
    found = _frame(store.versions(MEMBERSHIPS, margin, cut.snapshot, {"universe": universe}))
    ids = {"instrument_id": sorted(found["instrument_id"].unique())}
    traded = _frame(
        store.read(INSTRUMENTS, margin, cut.snapshot, ids, ("instrument_id", "calendar"))
    )
    closes = {
        (day, calendar.session_close(name, day))
        for name in traded["calendar"].unique()
        for day in calendar.sessions_known(name, first, last)
    }
    if not closes and len(traded):
        for name in traded["calendar"].unique().sort():
            calendar.sessions(name, first, last)  # says so where nobody knows
        raise calendar.NotASession(f"universe {universe!r} has no session from {first} to {last}")
    end = max((close for _, close in closes), default=margin)
    known = found.filter(pl.col("known_at") <= end).join(traded, on="instrument_id")
    if not len(known):
        raise NoFacts(
            f"universe {universe!r} has no members known by {last} among loads up to "
            f"{cut.snapshot}: load it with `python -m etl load --universe {universe}`, or pass a "
            "newer --snapshot"
        )
    belonging = Members(known, tuple(sorted({day for day, _ in closes})), end)
    _warn_of_another_exchange(cut.universe, belonging.calendars)
    return belonging


def survivors_only(store: Store, universe: str, as_of: datetime, snapshot: int) -> bool:
    """Whether a universe has members of whom none was ever told to have left.

    Such a list has no dated membership: what is shown on it is survivor-biased.
    """
    asked = {"universe": universe}
    left = store.versions(MEMBERSHIPS, as_of, snapshot, asked, ("valid_to",))["valid_to"]
    return len(left) > 0 and left.null_count == len(left)


def _warn_of_another_exchange(universe: Universe, calendars: list[str]) -> None:
    if canonical(universe.calendar) not in map(canonical, calendars):
        log.warning(
            "%s goes by the sessions of %s, and none of its members trades there (%s): declare it "
            "in contracts/universes, or correct FINPULSE_CALENDAR",
            *(universe.name, universe.calendar, ", ".join(calendars)),
        )


def _frame(table: object) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
