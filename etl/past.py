"""What was stored before a batch: what its rows are held against."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.store import Store
from contracts.table import Table
from contracts.tables import ACTIONS, BARS, INSTRUMENTS
from etl.batch import Manifest, parts

LISTED = ("instrument_id", "calendar", "currency")
_PLACE = ("instrument_id", "interval", "session", "event_time")
BAR = (*_PLACE, "open", "high", "low", "close", "adjustment")
ACTION = ("instrument_id", "ex_date", "kind", "value")
_BARS = 60  # of each instrument: enough to tell its volatility and its spacing
_DAYS = timedelta(days=150)


def _empty(names: tuple[str, ...], table: Table) -> pl.DataFrame:
    schema = pa.schema([table.schema.field(name) for name in names])
    frame = pl.from_arrow(schema.empty_table())
    assert isinstance(frame, pl.DataFrame)
    return frame


@dataclass(frozen=True)
class Past:
    """Stored facts as they were known when the batch was collected.

    instruments: `LISTED`, empty where the batch brings its own. bars: `BAR`, each instrument's
    newest daily ones before the batch's. actions: `ACTION` of its instruments.
    """

    instruments: pl.DataFrame = field(default_factory=lambda: _empty(LISTED, INSTRUMENTS))
    bars: pl.DataFrame = field(default_factory=lambda: _empty(BAR, BARS))
    actions: pl.DataFrame = field(default_factory=lambda: _empty(ACTION, ACTIONS))


def past(store: Store, held: Manifest, source: str) -> Past:
    """The past of a collected batch of that source."""
    none, snapshot = Past(), store.snapshot()
    if not snapshot:
        return none

    def read(table: Table, where: dict[str, object], names: tuple[str, ...]) -> pl.DataFrame:
        frame = pl.from_arrow(store.read(table, held.collected_at, snapshot, where, names))
        assert isinstance(frame, pl.DataFrame)
        return frame

    own = bool(held.rows.get("instruments"))
    listed = none.instruments if own else read(INSTRUMENTS, {}, LISTED)
    first, ids = _asked(held)
    if first is None:
        return Past(listed)
    where: dict[str, object] = {"instrument_id": ids, "source": source}
    span = {"interval": "1d", "session": (first - _DAYS, first - timedelta(days=1))}
    bars = read(BARS, where | span, BAR).sort("session")
    newest = bars.group_by("instrument_id", maintain_order=True).tail(_BARS).select(BAR)
    return Past(listed, newest, read(ACTIONS, where, ACTION))


def _asked(held: Manifest) -> tuple[date | None, list[str]]:
    """The first session of the batch's bars, and its instruments."""
    ids: set[str] = set()
    first: date | None = None
    for part in parts(held, "bars"):
        ids.update(name for name in pc.unique(part["instrument_id"]).to_pylist() if name)
        low = pc.min(part["session"]).as_py()
        first = low if first is None or (low is not None and low < first) else first
    return first, sorted(ids)
