"""What a table is: columns, key and clocks, and the frames that fit it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pyarrow as pa

from contracts.expected import Expected

TIME = pa.timestamp("us", tz="UTC")
DAY = pa.date32()
TEXT = pa.string()
REAL = pa.float64()
REALS = pa.list_(pa.float32())
WHOLE = pa.int64()
FLAG = pa.bool_()

KNOWN_AT = "known_at"
LOAD_ID = "load_id"
NUMBER = "number"


class FrameError(Expected, ValueError):
    """A frame does not fit its table; the message names table, column and what was found."""


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, whether it may be null, and JSON text stored as JSONB."""

    name: str
    type: pa.DataType
    null: bool = False
    json: bool = False


@dataclass(frozen=True)
class Table:
    """A table, declared once.

    kind: `fact` carries `known_at` and `load_id`, is versioned by `store.append` and read by
    `store.read`; `ledger` is insert-only, one row per key. Both refuse UPDATE, DELETE, TRUNCATE.
    key: the columns that name a row, without the clocks.
    indexes: further column lists worth an index.
    partition: a time of the key by whose years the table is partitioned; empty for none.
    numbered: the database gives each row the next `number`, whatever the clocks of the writers say.
    """

    name: str
    kind: Literal["fact", "ledger"]
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    partition: str = ""
    numbered: bool = False

    @cached_property
    def values(self) -> tuple[str, ...]:
        """Columns that make two versions of a fact differ."""
        return tuple(c.name for c in self.columns if c.name not in (*self.key, KNOWN_AT))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Columns that a frame carries: all but `load_id`, which the store gives."""
        return tuple(c.name for c in self.columns)

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of a frame."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.null) for c in self.columns])

    def check(self, frame: pa.Table) -> pa.Table:
        """The frame in this table's column order and types; raises FrameError."""
        missing = [n for n in self.names if n not in frame.column_names]
        surplus = [n for n in frame.column_names if n not in self.names]
        if missing or surplus:
            raise FrameError(f"{self.name}: missing columns {missing}, unexpected {surplus}")
        for column in self.columns:
            if not column.null and frame[column.name].null_count:
                raise FrameError(f"{self.name}: {column.name} holds nulls, none are allowed")
        try:
            return frame.select(list(self.names)).cast(self.schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
            raise FrameError(f"{self.name}: a column does not fit: {error}") from error


def quoted(names: list[str] | tuple[str, ...], prefix: str = "") -> list[str]:
    """Column names as SQL identifiers, with an optional alias before each."""
    return [f'{prefix}"{name}"' for name in names]
