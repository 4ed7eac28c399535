"""Raw rows through the rules: what may become facts, and what is refused."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import polars as pl
import pyarrow as pa

from contracts.store import Store
from etl.batch.batch import Batch, Manifest, manifest, parts, stated_in
from etl.batch.staging import ORDER, refuse, stage
from etl.plausible import plausible
from etl.plausible.gaps import gaps
from etl.plausible.past import ACTION, LISTED, Past
from etl.plausible.past import past as past_of
from etl.plausible.rounded_volumes import steady
from etl.quality.findings import findings, keep, refused_rows
from etl.rules import PLACE, Context, arrow, judge_arrow, parted
from etl.sessions import sheet, spans

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
    held: Manifest,
    judge: Judge = in_process,
    past: Past | None = None,
    told: list[pl.DataFrame] | None = None,
) -> Iterator[tuple[str, pa.Table, pa.Table]]:
    """Each collected table's good rows, in its schema, and its refused ones with reason.

    past: what was stored before; instruments of the batch count besides. told: gathers what is
    found of rows that are good all the same (`etl.plausible.plausible.FINDING`).
    """
    past, told = past or Past(), told if told is not None else []
    with stated_in(held):
        context = _context(held, past.instruments)
    bars = None
    for name in (name for name in ORDER if held.rows.get(name)):
        rows = judge(held, name, context)
        if name == "bars":
            bars = _bars(held, rows, context, past)
            rows = arrow(name, bars.rows)
            told += [bars.findings, gaps(bars.rows, context, past.bars)]
        if name == "actions" and bars:
            beside, found = plausible.actions(_frame(rows), bars, past)
            rows = arrow(name, beside)
            told.append(found)
        good, refused = parted(name, rows)
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
    found: list[pl.DataFrame] = []
    told: list[pa.Table] = []
    for name, good, refused in judged(held, judge, past_of(store, held, batch.source), found):
        stage(store, batch, name, good)
        refuse(store, batch, name, refused, held.collected_at)
        told.append(refused_rows(name, refused))
        counts[name] = Cleaned(good.num_rows, refused.num_rows)
    keep(store, batch, [*told, *map(findings, found)])
    return counts


def _bars(held: Manifest, rows: pa.Table, context: Context, past: Past) -> plausible.Judged:
    actions = past.actions.clear()
    if held.rows.get("actions"):
        first, _ = parted("actions", in_process(held, "actions", context))
        newest = _frame(first).sort("known_at", maintain_order=True)
        key = ["instrument_id", "ex_date", "kind"]
        actions = newest.unique(key, keep="last", maintain_order=True).select(ACTION)
    splits = pl.concat([actions, past.actions]).filter(kind="split")
    splits = splits.unique(["instrument_id", "ex_date"], keep="first")
    return plausible.bars(steady(_frame(rows).sort(PLACE), past.kept, splits), actions, past)


def _frame(rows: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
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
    both = pl.concat([_frame(good.select(list(LISTED))), known])
    return both.unique("instrument_id", keep="first", maintain_order=True)


def _refused_ids(good: pa.Table, refused: pa.Table) -> frozenset[str]:
    kept = set(good["native_id"].to_pylist())
    return frozenset(i for i in refused["native_id"].to_pylist() if i is not None) - kept
