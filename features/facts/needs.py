"""Reads what the inputs of a panel are made of, as each of them declares it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from contracts.store import Store
from contracts.table import KNOWN_AT, Table
from contracts.tables import ACTIONS, BARS
from features.facts.providers import Providers
from features.input import Known, Need, PanelInput

# What rows there are, and in which shares: read with them, in the panel's own order.
ROWS = (BARS, ACTIONS)
_WHOSE = "instrument_id"


@dataclass(frozen=True)
class Asked:
    """What is read: facts of those instruments that are known by `end`, among loads up to snapshot.

    text_model: whose scores of texts count.
    """

    store: Store
    instruments: Sequence[str]
    end: datetime
    snapshot: int
    providers: Providers
    text_model: str

    def versions(self, table: Table, where: dict[str, object]) -> pl.DataFrame:
        """Every version of a table's rows."""
        return frame_of(self.store.versions(table, self.end, self.snapshot, where))


def known_of(asked: Asked, one: PanelInput, first_bar: datetime | None) -> Known:
    """The frames that an input's function is handed. first_bar: None where there are no bars."""
    read = dict[str, pl.DataFrame]()
    for need in one.needs:
        if need.table in ROWS:
            continue
        if need.table.kind == "fact":
            read[need.table.name] = _facts(asked, need, first_bar)
        else:
            read[need.table.name] = _scores(asked, need.table, read.values())
    return read if one.reading.gather is None else one.reading.gather(read)


def _facts(asked: Asked, need: Need, first_bar: datetime | None) -> pl.DataFrame:
    table, where = need.table, dict[str, object]()
    listed = {column.name: column for column in table.columns}
    owned = _WHOSE in listed and (need.own or not listed[_WHOSE].null)
    if owned:
        where[_WHOSE] = list(asked.instruments)
    if need.series:
        where["series"] = list(need.series)
    if need.back is not None and first_bar is not None:
        where["event_time"] = (first_bar - need.back, None)
    if first_bar is None:
        return frame_of(table.schema.empty_table())
    found = asked.versions(table, where)
    if _WHOSE in listed and not owned:
        found = found.filter(pl.col(_WHOSE).is_null()).drop(_WHOSE)
        about = [name for name in table.key[:-1] if name != _WHOSE]
        return asked.providers.best(table, found, about)
    return asked.providers.best(table, found)


def _scores(asked: Asked, table: Table, read: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """A ledger of what a model said to texts: its rows of the texts that were read before."""
    hashes = {h for frame in read if "text_hash" in frame.columns for h in frame["text_hash"]}
    names = ", ".join(f'"{name}"' for name in table.names)
    found = asked.store.query(
        f"SELECT {names} FROM {table.name} "
        "WHERE model_version = %s AND text_hash = ANY(%s::text[])",
        [asked.text_model, sorted(hashes)],
    )
    return frame_of(found.cast(table.schema))


def frame_of(table: object) -> pl.DataFrame:
    """An Arrow table in Polars."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def known_by(known: Known, moment: datetime) -> Known:
    """The rows that were known at a moment (UTC); what has no such column is no fact."""
    return {
        name: frame.filter(pl.col(KNOWN_AT) <= moment) if KNOWN_AT in frame.columns else frame
        for name, frame in known.items()
    }
