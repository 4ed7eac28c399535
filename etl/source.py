"""What a source is: one function that answers a request with raw frames of named tables."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256

import pyarrow as pa

from contracts.registry import Registry
from contracts.settings import Settings
from contracts.store import Provenance
from contracts.table import TEXT, Table
from contracts.tables import TABLES

# Two columns that a raw frame may carry beside its table's: why the row cannot be a fact, found
# while reading, and the row as it was delivered (JSON text).
FAULT = "fault"
RAW = "raw"


class Cause(StrEnum):
    """Why a source did not deliver."""

    CLOSED = "closed"
    THROTTLED = "throttled"
    RENAMED = "renamed"
    DELISTED = "delisted"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    EMPTY = "empty"


class SourceError(RuntimeError):
    """A source did not deliver; the message begins with the cause."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(f"{cause}: {message}")
        self.cause = cause


@dataclass(frozen=True)
class Request:
    """What is asked of a source: the sessions `first` to `last`, both included.

    collected_at: the moment of asking (UTC); the source asks no other clock. A headline belongs
    to the session at whose close it is known: after the close before, up to that close.
    """

    universe: str
    first: date
    last: date
    collected_at: datetime
    settings: Settings


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
    reach: Callable[[Settings, datetime], Extent]
    made: Callable[[Settings], str] | None

    def frames(self, request: Request) -> Frames:
        """Raw frames in the shape of `raw_schema`; raises SourceError, and ValueError when the
        source names a table that it did not declare."""
        for name, frame in self.deliver(request):
            if name not in self.tables:
                raise ValueError(f"source {self.name!r} delivers {name!r} without declaring it")
            yield name, raw_frame(TABLES[name], frame)

    def extent(self, settings: Settings, now: datetime, through: date | None = None) -> Extent:
        """The first and last session that the source can deliver; raises SourceError.

        through: a session up to which a made market goes on past its own last.
        """
        first, last = self.reach(settings, now)
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
    extent: Callable[[Settings, datetime], Extent],
    vintages: bool = False,
    made: Callable[[Settings], str] | None = None,
) -> Callable[[Callable[[Request], Frames]], Callable[[Request], Frames]]:
    """Declare the function below as a source.

    origin: `simulated` or `real`. tables: what it may deliver. vintages: it states each row's
    `known_at` itself, restatements included. extent: the sessions that it can deliver at a
    moment. made: of a source that makes its market, names the settings that decide it; asked for
    later sessions it goes on for as long as its calendar does, and a database takes one market.
    """

    def declare(deliver: Callable[[Request], Frames]) -> Callable[[Request], Frames]:
        SOURCES.add(name, Source(name, origin, vintages, tables, deliver, extent, made))
        return deliver

    return declare


def raw_schema(table: Table) -> pa.Schema:
    """The table's columns, all nullable, then `fault` and `raw`."""
    fields = [pa.field(column.name, column.type) for column in table.columns]
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
