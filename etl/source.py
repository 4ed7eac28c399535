"""What a source is: one function that answers a request with raw frames of named tables."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from contracts.expected import Expected
from contracts.registry import Registry
from contracts.settings import Settings
from contracts.store import Provenance
from contracts.table import FLAG, TEXT, Table
from contracts.tables import TABLES
from contracts.universe import Universe
from etl.account import Account, Left

# Three columns that a raw frame may carry beside its table's: why the row cannot be a fact, found
# while reading; the row as it was delivered (JSON text); why it is none of those asked for, as
# `outside the range`. What is outside is counted and goes no further.
FAULT = "fault"
RAW = "raw"
OUTSIDE = "outside"
# The tables of which a source finds rows in the world; those of others follow from these.
COUNTED = ("bars", "actions", "headlines", "documents", "observations")
_SHOWN = 300  # characters of a row that an account shows
# What a raw row of a table may say besides, and no fact holds: `etl.payments` uses it up.
SAID = {"actions": {"id": TEXT, "currency": TEXT, "withdrawn": FLAG}}


class Cause(StrEnum):
    """Why a source did not deliver."""

    CLOSED = "closed"
    THROTTLED = "throttled"
    RENAMED = "renamed"
    DELISTED = "delisted"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    EMPTY = "empty"


class SourceError(Expected, RuntimeError):
    """A source did not deliver; the message begins with the cause.

    alone: the provider answers, and this symbol's answer alone cannot be read.
    """

    def __init__(self, cause: Cause, message: str, alone: bool = False) -> None:
        super().__init__(f"{cause}: {message}")
        self.cause = cause
        self.alone = alone


@dataclass(frozen=True)
class Request:
    """What is asked of a source: the sessions `first` to `last`, both included.

    collected_at: the moment of asking (UTC); the source asks no other clock. A headline belongs
    to the session at whose close it is known: after the close before, up to that close.
    account: what became of all that is read; the source adds what it has read.
    """

    universe: Universe
    first: date
    last: date
    collected_at: datetime
    settings: Settings
    account: Account = field(default_factory=Account, compare=False)


Frames = Iterator[tuple[str, pa.Table]]
Extent = tuple[date, date]


@dataclass(frozen=True)
class Source:
    """A declared source; see `source`."""

    name: str
    origin: str
    vintages: bool
    tables: tuple[str, ...]
    deliver: Callable[[Request], Frames]
    reach: Callable[[Universe, Settings, datetime], Extent]
    made: Callable[[Settings], str] | None

    def frames(self, request: Request) -> Frames:
        """Raw frames in the shape of `raw_schema`, of rows that were asked for; keeps the
        request's account.

        Raises SourceError, ValueError when the source names a table that it did not declare,
        and AccountError when rows were read of which nothing more is said.
        """
        for name, frame in self.deliver(request):
            if name not in self.tables:
                raise ValueError(f"source {self.name!r} delivers {name!r} without declaring it")
            yield name, raw_frame(TABLES[name], _counted(request.account, name, frame))
        if self.origin == "real":
            request.account.check(self.name, {*COUNTED}.intersection(self.tables))

    def extent(
        self, universe: Universe, settings: Settings, now: datetime, through: date | None = None
    ) -> Extent:
        """The first and last session that it can deliver of a universe; raises SourceError.

        through: a session up to which a made market goes on past its own last.
        """
        first, last = self.reach(universe, settings, now)
        return first, max(last, through) if self.made and through else last

    def provenance(self, verb: str, settings: Settings) -> Provenance:
        """What is kept with each load of this source."""
        market = self.made(settings) if self.made else None
        return Provenance(verb, self.name, self.origin, self.vintages, market)


SOURCES: Registry[Source] = Registry("source", "etl.sources")


def source(
    name: str,
    *,
    origin: str,
    tables: tuple[str, ...],
    extent: Callable[[Universe, Settings, datetime], Extent],
    vintages: bool = False,
    made: Callable[[Settings], str] | None = None,
) -> Callable[[Callable[[Request], Frames]], Callable[[Request], Frames]]:
    """Declare the function below as a source.

    origin: `simulated` or `real`. tables: what it may deliver. vintages: it states each row's
    `known_at` itself, restatements included. extent: the sessions that it can deliver of a
    universe at a moment. made: of a source that makes its market, names the settings that decide
    it; asked for later sessions it goes on for as long as its calendar does, and a database takes
    one market.
    A source of real facts adds to `request.account.read` the rows of `COUNTED` tables that it
    finds, and delivers every one, with `fault` or `outside` set where it is no fact of the request.
    """

    def declare(deliver: Callable[[Request], Frames]) -> Callable[[Request], Frames]:
        SOURCES.add(name, Source(name, origin, vintages, tables, deliver, extent, made))
        return deliver

    return declare


def _counted(account: Account, table: str, frame: pa.Table) -> pa.Table:
    """The frame without the rows that are outside; these and those with a fault are counted."""
    if OUTSIDE in frame.column_names:
        account.add(account.outside, table, _left(frame, OUTSIDE))
        frame = frame.filter(pc.is_null(frame[OUTSIDE])).drop_columns([OUTSIDE])
    sound = frame.num_rows
    if FAULT in frame.column_names:
        account.add(account.refused, table, _left(frame, FAULT))
        sound = frame[FAULT].null_count
    account.delivered[table] += sound
    return frame


def _left(frame: pa.Table, column: str) -> dict[str, Left]:
    """The rows that the column speaks of, by its words up to a colon."""
    if frame[column].null_count == frame.num_rows:
        return {}
    kinds = pc.list_element(pc.split_pattern(frame[column].cast(pa.string()), ": "), 0)
    return {
        each["values"]: Left(each["counts"], _first(frame, pc.index(kinds, each["values"]).as_py()))
        for each in pc.value_counts(kinds.drop_null()).to_pylist()
    }


def _first(frame: pa.Table, place: int) -> str:
    row = frame.slice(place, 1).to_pylist()[0]
    said = row.get(RAW) or ", ".join(
        f"{name} {value}"
        for name, value in row.items()
        if value is not None and name not in (FAULT, RAW, OUTSIDE, "source", "text_hash")
    )
    return str(said)[:_SHOWN]


def raw_schema(table: Table) -> pa.Schema:
    """The table's columns, all nullable, what `SAID` names, then `fault` and `raw`."""
    fields = [pa.field(column.name, column.type) for column in table.columns]
    fields += [pa.field(name, kind) for name, kind in SAID.get(table.name, {}).items()]
    return pa.schema([*fields, pa.field(FAULT, TEXT), pa.field(RAW, TEXT)])


def raw_frame(table: Table, frame: pa.Table) -> pa.Table:
    """The frame in the shape of `raw_schema`; absent columns become null."""
    schema = raw_schema(table)
    surplus = set(frame.column_names) - set(schema.names)
    if surplus:
        raise ValueError(f"{table.name} has no columns {sorted(surplus)}")
    given = {
        field.name: frame[field.name].cast(field.type)
        if field.name in frame.column_names
        else pa.nulls(frame.num_rows, field.type)
        for field in schema
    }
    return pa.table(given, schema=schema)


def text_hash(text: str) -> str:
    """The key under which a text is scored: equal texts are scored once."""
    return sha256(text.encode()).hexdigest()
