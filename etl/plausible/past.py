"""What was stored before a batch: what its rows are held against."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.store import Store
from contracts.table import Table
from contracts.tables import ACTIONS, BARS, INSTRUMENTS
from etl.batch.batch import Manifest, parts

LISTED = ("instrument_id", "calendar", "currency")
_PLACE = ("instrument_id", "interval", "session", "event_time")
BAR = (*_PLACE, "open", "high", "low", "close", "adjustment")
KEPT = (*BAR, "volume")
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
    newest daily ones before the batch's. actions: `ACTION` of its instruments. kept: `KEPT`, the
    bars of the batch's own sessions, of instruments with a consolidation.
    """

    instruments: pl.DataFrame = field(default_factory=lambda: _empty(LISTED, INSTRUMENTS))
    bars: pl.DataFrame = field(default_factory=lambda: _empty(BAR, BARS))
    actions: pl.DataFrame = field(default_factory=lambda: _empty(ACTION, ACTIONS))
    kept: pl.DataFrame = field(default_factory=lambda: _empty(KEPT, BARS))


def past(store: Store, held: Manifest, source: str) -> Past:
    """The past of a collected batch of that source."""
    none, snapshot = Past(), store.snapshot()
    if not snapshot:
        return none

    def read(table: Table, where: dict[str, object], names: tuple[str, ...]) -> pl.DataFrame:
        frame = pl.from_arrow(store.read(table, held.collected_at, snapshot, where, names))
        assert isinstance(frame, pl.DataFrame)
        return frame

    brought = bool(held.rows.get("instruments"))
    listed = none.instruments if brought else read(INSTRUMENTS, {}, LISTED)
    first, ids = _asked(held)
    if first is None:
        return Past(listed)
    where: dict[str, object] = {"instrument_id": ids, "source": source}
    span = {"interval": "1d", "session": (first - _DAYS, first - timedelta(days=1))}
    bars = read(BARS, where | span, BAR).sort("session")
    newest = bars.group_by("instrument_id", maintain_order=True).tail(_BARS).select(BAR)
    actions = read(ACTIONS, where, ACTION)
    fewer = sorted(
        set(actions.filter(pl.col("value") < 1, kind="split")["instrument_id"]) | _fewer(held)
    )
    kept = none.kept
    if fewer:
        own = {"instrument_id": fewer, "interval": "1d", "session": (first, None)}
        kept = read(BARS, where | own, KEPT)
    return Past(listed, newest, actions, kept)


def _fewer(held: Manifest) -> set[str]:
    """The instruments of which the batch says that they were consolidated."""
    return {
        row["instrument_id"]
        for part in parts(held, "actions")
        for row in part.filter(pc.less(part["value"], 1.0)).to_pylist()
        if row["kind"] == "split" and row["instrument_id"]
    }


def _asked(held: Manifest) -> tuple[date | None, list[str]]:
    """The first session of the batch's bars, and its instruments."""
    ids: set[str] = set()
    first: date | None = None
    for part in parts(held, "bars"):
        ids.update(name for name in pc.unique(part["instrument_id"]).to_pylist() if name)
        low = pc.min(part["session"]).as_py()
        first = low if first is None or (low is not None and low < first) else first
    return first, sorted(ids)
