"""The declared tables in SQLAlchemy's words."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    Identity,
    Index,
    MetaData,
    Text,
)
from sqlalchemy import REAL as REAL_SQL
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.schema import PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.types import TypeEngine

from contracts.table import (
    DAY,
    FLAG,
    KNOWN_AT,
    LOAD_ID,
    NUMBER,
    REAL,
    REALS,
    TEXT,
    TIME,
    WHOLE,
    Table,
)
from contracts.table import Column as Declared
from contracts.tables import TABLES

_TYPES: dict[object, TypeEngine[Any]] = {
    TIME: TIMESTAMP(timezone=True),
    DAY: Date(),
    TEXT: Text(),
    REAL: Double(),
    REALS: ARRAY(REAL_SQL),
    WHOLE: BigInteger(),
    FLAG: Boolean(),
}


def metadata() -> MetaData:
    """Every declared table."""
    declared = MetaData()
    for table in TABLES.values():
        _add(declared, table)
    return declared


def _type(column: Declared) -> TypeEngine[Any]:
    return JSONB() if column.json else _TYPES[column.type]


def _add(declared: MetaData, table: Table) -> None:
    columns = [
        Column(c.name, _type(c), nullable=c.null, autoincrement=False) for c in table.columns
    ]
    primary = table.key
    if table.kind == "fact":
        columns.append(Column(LOAD_ID, BigInteger(), nullable=False))
        primary = (*table.key, KNOWN_AT)
    if table.numbered:
        columns.append(Column(NUMBER, BigInteger(), Identity(always=True), nullable=False))
    indexes = [Index(f"{table.name}_{'_'.join(names)}", *names) for names in table.indexes]
    name = f"{table.name}_pkey"
    constraint = (
        UniqueConstraint(*primary, name=name, postgresql_nulls_not_distinct=True)
        if table.open_key
        else PrimaryKeyConstraint(*primary, name=name)
    )
    SqlTable(table.name, declared, *columns, constraint, *indexes)
