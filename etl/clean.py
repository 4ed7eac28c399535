"""Raw rows through the rules: what may become facts, and what is refused."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import polars as pl
import pyarrow as pa

from contracts.store import Store
from contracts.tables import INSTRUMENTS
from etl.batch import Batch, Manifest, manifest, parts, stated_in
from etl.rules import Context, judge_arrow, parted
from etl.sheet import sheet, spans
from etl.staging import ORDER, refuse, stage

# Judges the raw rows of one table: `etl.rules.judge_arrow`, wherever it runs.
Judge = Callable[[Manifest, str, Context], pa.Table]


@dataclass(frozen=True)
class Cleaned:
    """Rows of one table that passed and that were refused."""

    staged: int
    refused: int


def in_process(held: Manifest, table: str, context: Context) -> pa.Table:
    """Judge with Polars in this process."""
    return judge_arrow(table, pa.concat_tables(parts(held, table)), context)


def judged(
    held: Manifest, judge: Judge = in_process, known: pl.DataFrame | None = None
) -> Iterator[tuple[str, pa.Table, pa.Table]]:
    """Each collected table's good rows, in its schema, and its refused ones with reason.

    known: instruments (instrument_id, calendar) that were stored before; those of the batch
    count besides.
    """
    with stated_in(held):
        context = _context(held, _NONE if known is None else known)
    for name in (name for name in ORDER if held.rows.get(name)):
        good, refused = parted(name, judge(held, name, context))
        if name == "instruments":
            context = replace(context, instruments=_calendars(good, context.instruments))
        if name == "headlines":
            context = replace(context, refused=_refused_ids(good, refused))
        yield name, good, refused


def clean(store: Store, batch: Batch, judge: Judge = in_process) -> dict[str, Cleaned]:
    """Stage the batch's good rows and record the refused ones; a repeat replaces the staging.

    Raises NotCollected.
    """
    held = manifest(batch)
    counts: dict[str, Cleaned] = {}
    for name, good, refused in judged(held, judge, stored_instruments(store, held)):
        stage(store, batch, name, good)
        refuse(store, batch, name, refused, held.collected_at)
        counts[name] = Cleaned(good.num_rows, refused.num_rows)
    return counts


_NONE = pl.DataFrame(schema={"instrument_id": pl.String, "calendar": pl.String})


def stored_instruments(store: Store, held: Manifest) -> pl.DataFrame:
    """Instruments known when the batch was collected, if its source brings none of its own."""
    if held.rows.get("instruments"):
        return _NONE
    names = tuple(_NONE.columns)
    frame = pl.from_arrow(store.read(INSTRUMENTS, held.collected_at, store.snapshot(), {}, names))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _context(held: Manifest, known: pl.DataFrame) -> Context:
    calendars = {
        calendar
        for part in parts(held, "instruments")
        for calendar in part["calendar"].to_pylist()
        if calendar is not None
    }
    # A source may deliver more than it was asked for: every session is a session.
    calendars |= set(known["calendar"])
    return Context(held.collected_at, known, sheet(calendars), spans(calendars))


def _calendars(good: pa.Table, known: pl.DataFrame) -> pl.DataFrame:
    frame = pl.from_arrow(good.select(["instrument_id", "calendar"]))
    assert isinstance(frame, pl.DataFrame)
    both = pl.concat([frame, known])
    return both.unique("instrument_id", keep="first", maintain_order=True)


def _refused_ids(good: pa.Table, refused: pa.Table) -> frozenset[str]:
    kept = set(good["native_id"].to_pylist())
    return frozenset(i for i in refused["native_id"].to_pylist() if i is not None) - kept
