"""Sessions that no library knows: added and removed ones, with the moment they were announced."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

from contracts.settings import settings
from contracts.time.exchange import Exchange, canonical, library_exchange

# Sessions stated past the end of what the library knows go on with it while none of its gaps is
# longer: no exchange rests for two weeks. A single later one says nothing of the days before.
_LONGEST_REST = timedelta(days=14)
_ALL = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Amendment:
    """One statement: on that day the calendar trades from `opens` to `closes`, or not (None)."""

    calendar: str
    session: date
    opens: datetime | None
    closes: datetime | None
    timezone: str
    known_at: datetime


@dataclass(frozen=True, eq=False)
class Amendments:
    """Statements of any calendars, each calendar's by date and then by `known_at`."""

    rows: tuple[Amendment, ...] = ()

    @cached_property
    def by_calendar(self) -> Mapping[str, tuple[Amendment, ...]]:
        """The statements of each calendar, by its canonical name."""
        groups: dict[str, list[Amendment]] = defaultdict(list)
        for row in sorted(self.rows, key=lambda row: (row.session, row.known_at)):
            groups[canonical(row.calendar)].append(row)
        return {name: tuple(rows) for name, rows in groups.items()}

    @cached_property
    def exchanges(self) -> dict[str, Exchange | None]:
        """Filled by `exchange`: what the calendars are with these statements."""
        return {}

    def exchange(self, name: str) -> Exchange | None:
        """The calendar with what is stated of it; None when nobody knows it."""
        if name not in self.exchanges:
            known = canonical(name)
            found, rows = library_exchange(known), self.by_calendar.get(known, ())
            self.exchanges[name] = _amended(found, rows) if rows else found
        return self.exchanges[name]


def amendments_of(rows: Iterable[Mapping[str, Any]]) -> Amendments:
    """Rows of the table `trading_sessions` as statements."""
    names = tuple(Amendment.__dataclass_fields__)
    return Amendments(tuple(Amendment(*(row[name] for name in names)) for row in rows))


def _amended(base: Exchange | None, rows: tuple[Amendment, ...]) -> Exchange:
    newest = {row.session: row for row in rows}
    hours = dict(base.hours) if base else {}
    first, last = _reach(base, sorted(newest))
    for day, row in newest.items():
        hours.pop(day, None)
        if first <= day <= last and row.opens and row.closes:
            hours[day] = row.opens, row.closes
    ordered = {day: hours[day] for day in sorted(hours)}
    unannounced = (base.unannounced if base else frozenset()) - ordered.keys()
    return Exchange(base.zone if base else rows[0].timezone, first, last, ordered, unannounced)


def _reach(base: Exchange | None, days: list[date]) -> tuple[date, date]:
    if base is None:
        return days[0], days[-1]
    first, last = base.first, base.last
    for day in days[bisect_left(days, last) :]:
        if day - last <= _LONGEST_REST:
            last = max(last, day)
    for day in reversed(days[: bisect_left(days, first)]):
        if first - day <= _LONGEST_REST:
            first = min(first, day)
    return first, last


_STATED: ContextVar[Amendments | None] = ContextVar("stated", default=None)


@contextmanager
def stating(rows: Iterable[Amendment], alone: bool = False) -> Iterator[None]:
    """Calendars within the block are with these statements besides the stored ones.

    alone: without the stored ones.
    """
    others = () if alone else current().rows
    token = _STATED.set(Amendments((*others, *rows)))
    try:
        yield
    finally:
        _STATED.reset(token)


def current() -> Amendments:
    """The statements that hold here; raises StoreUnavailable."""
    return _STATED.get() or _stored(settings().database_url.get_secret_value())


def forget() -> None:
    """Ask the database anew: a process reads its statements once otherwise."""
    _stored.cache_clear()


@lru_cache(maxsize=4)
def _stored(url: str) -> Amendments:
    from contracts.store import Store
    from contracts.tables import TRADING_SESSIONS

    if not url:
        return Amendments()
    store = Store(url)
    try:
        made = "SELECT to_regclass(%s) IS NOT NULL AS made"
        # A database of before has no such table until it is migrated.
        if not store.query(made, [TRADING_SESSIONS.name])["made"][0].as_py():
            return Amendments()
        rows = store.versions(TRADING_SESSIONS, _ALL, store.snapshot())
        return amendments_of(rows.to_pylist())
    finally:
        store.close()
