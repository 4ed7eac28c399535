"""Which sessions lack a daily bar, held against each instrument's exchange calendar."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from contracts.expected import Expected
from contracts.store import Store
from contracts.tables import BARS, INSTRUMENTS, MEMBERSHIPS, SYMBOLS
from contracts.time.calendar import known, sessions_known

_LOAD = "run `python -m etl load --universe"


class NotListed(Expected, LookupError):
    """The store holds no member of the universe; the message names the verb to run."""


@dataclass(frozen=True)
class Coverage:
    """Of one instrument: the sessions of its membership, and those of them without a bar.

    unknown: how many days of the membership lie beyond what its calendar knows.
    """

    symbol: str
    calendar: str
    expected: int
    gaps: tuple[tuple[date, date, int], ...]  # first, last, sessions
    unknown: int = 0

    @property
    def missing(self) -> int:
        """Sessions without a bar."""
        return sum(count for *_, count in self.gaps)


def newest(store: Store, universe: str, as_of: datetime) -> date:
    """The newest session in which a member has a daily bar; raises NotListed."""
    snapshot = store.snapshot()
    members = _members(store, universe, as_of)
    where = {"interval": "1d", "instrument_id": sorted({m["instrument_id"] for m in members})}
    days = store.read(BARS, as_of, snapshot, where, ("session",))["session"].to_pylist()
    if not days:
        raise NotListed(f"universe {universe!r} has no bars: {_LOAD} {universe}`")
    found: date = max(days)
    return found


def _members(store: Store, universe: str, as_of: datetime) -> list[dict[str, Any]]:
    where = {"universe": universe}
    found = store.read(MEMBERSHIPS, as_of, store.snapshot(), where)
    spans: list[dict[str, Any]] = found.to_pylist()
    if not spans:
        raise NotListed(f"universe {universe!r} has no members: {_LOAD} {universe}`")
    return spans


def coverage(
    store: Store, universe: str, first: date | None, last: date, as_of: datetime
) -> Iterator[Coverage]:
    """Each member's coverage from `first` (None: from its membership on) to `last`.

    Judged by what is known at `as_of`: a delisted instrument is expected up to its last session.
    Raises NotListed.
    """
    snapshot = store.snapshot()
    spans = _members(store, universe, as_of)
    ids = {"instrument_id": sorted({span["instrument_id"] for span in spans})}
    listed = store.read(INSTRUMENTS, as_of, snapshot, ids).to_pylist()
    calendars = {row["instrument_id"]: row["calendar"] for row in listed}
    named = store.read(SYMBOLS, as_of, snapshot, ids).to_pylist()
    symbols = {row["instrument_id"]: row["symbol"] for row in named}
    where = {"interval": "1d", "session": (first, last), **ids}
    bars = store.read(BARS, as_of, snapshot, where, ("instrument_id", "session"))
    held = set(zip(*(bars[name].to_pylist() for name in bars.column_names), strict=True))
    for name, own in groupby(spans, lambda span: str(span["instrument_id"])):
        calendar = calendars[name]
        spans_of = [
            (max(first or start, start), min(last, end or last))
            for start, end in ((span["valid_from"], span["valid_to"]) for span in own)
        ]
        days = sorted(day for span in spans_of for day in sessions_known(calendar, *span))
        gaps = _gaps(days, [(name, day) in held for day in days])
        unknown = sum(_beyond(calendar, *span) for span in spans_of)
        yield Coverage(symbols.get(name, name), calendar, len(days), gaps, unknown)


def _beyond(calendar: str, first: date, last: date) -> int:
    """Days from `first` to `last` of which it is not known whether they are sessions."""
    begin, end = known(calendar)
    inside = max((min(last, end) - max(first, begin)).days + 1, 0)
    return max((last - first).days + 1, 0) - inside


def _gaps(days: list[date], present: list[bool]) -> tuple[tuple[date, date, int], ...]:
    gaps = []
    for there, run in groupby(zip(days, present, strict=True), lambda pair: pair[1]):
        missing = [day for day, _ in run]
        if not there:
            gaps.append((missing[0], missing[-1], len(missing)))
    return tuple(gaps)
