"""Panel columns of what headlines mean: sums of their embeddings in the row that first knew them.

An embedding has as many numbers as its model has (384, 768); the panel has WIDTH of them: each a
sum of all with signs that are drawn once and for all. That keeps the angles between texts
(Achlioptas 2003, Database-friendly random projections) and learns nothing from any text: what is
learnt of the columns is learnt inside the folds.
"""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from contracts.tables import EMBEDDINGS, HEADLINE_SYMBOLS, HEADLINES, SENTIMENTS
from features.input import Columns, Known, Made, Need, Reading, Rows, Sample, Scores, panel_input
from features.inputs.news import STALE, told_of
from features.panel.panel import times_of

if TYPE_CHECKING:
    from features.panel.series import Values

WIDTH = 32
SUMS = tuple(f"meaning_{place}" for place in range(WIDTH))
EMBEDDED = "embedded"


def projected(vectors: "Values") -> "Values":
    """Embeddings (n, width) as (n, WIDTH)."""
    signs = np.random.Generator(np.random.PCG64(20)).random((1024, WIDTH)) < 0.5
    width = vectors.shape[1]
    # Another draw for the numbers beyond, of a model wider than any of today.
    rows = np.resize(np.where(signs, 1.0, -1.0), (max(width, 1), WIDTH))
    return np.asarray(vectors @ rows[:width] / np.sqrt(WIDTH), dtype=np.float64)


def _gather(read: Known) -> Known:
    """One row per headline and instrument: known_at, and SUMS (null when not embedded)."""
    kept = read["embeddings"]
    width = kept["vector"].list.len().max() or 0
    flat = kept["vector"].explode().to_numpy() if kept.height else np.empty(0)
    values = projected(flat.astype(np.float64).reshape(kept.height, -1 if width else 0))
    meant = pl.DataFrame(values, schema=list(SUMS)).with_columns(text_hash=kept["text_hash"])
    # What its model may have learnt from is not read: that is known, and not missing.
    closed = read["sentiments"].filter(pl.col("p_positive").is_nan()).select("text_hash")
    unread = closed.join(kept, on="text_hash", how="anti")
    nothing = unread.select(*(pl.lit(np.nan).alias(name) for name in SUMS), "text_hash")
    meant = pl.concat([meant, nothing])
    found = told_of(read).join(meant, on="text_hash", how="left")
    return {"meaning": found.select("instrument_id", "known_at", *SUMS)}


def _made(made: Sample) -> Known:
    """Headlines hours to days before they are known, about one of two topics; one in five is not
    embedded."""
    draw, rows = np.random.default_rng(made.seed + 5), 2 * len(made.session)
    frames = []
    for name in made.instruments:
        known = np.sort(
            draw.choice(made.as_of, rows) - draw.integers(0, 72, rows) * np.timedelta64(1, "h")
        )
        values = draw.normal(0, 0.1, (rows, WIDTH)) + np.where(draw.random((rows, 1)) < 0.5, 0.2, 0)
        values[draw.random(rows) < 0.2] = np.nan
        frame = pl.DataFrame(values, schema=list(SUMS)).fill_nan(None)
        times = pl.Series(known).dt.replace_time_zone("UTC")
        frames.append(frame.with_columns(known_at=times, instrument_id=pl.lit(name)))
    return {"meaning": pl.concat(frames).sort("known_at")}


@panel_input(
    columns={
        **{name: f"sum of number {place} of their meanings" for place, name in enumerate(SUMS)},
        EMBEDDED: "headlines known since the row before that have an embedding",
    },
    needs=(
        *(Need(HEADLINES, back=STALE), Need(HEADLINE_SYMBOLS, back=STALE)),
        *(Need(SENTIMENTS), Need(EMBEDDINGS)),
    ),
    since_row_before=True,
    reading=Reading(
        gather=_gather,
        scores=Scores((*SUMS, EMBEDDED), lambda known: known["meaning"][SUMS[0]].null_count()),
    ),
    sample=Made(facts=_made),
)
def meaning(rows: Rows, known: Known) -> Columns:
    """Sums over the headlines that became known up to each row's close."""
    told = known["meaning"].sort("known_at", maintain_order=True)
    values = told.select(SUMS).to_numpy().astype(float)
    place = np.searchsorted(rows.as_of, times_of(told["known_at"]), side="left")
    there = ~np.isnan(values[:, 0])
    count = len(rows.as_of) + 1  # one more for what became known after the last row
    sums = np.zeros((count, WIDTH + 1))
    np.add.at(sums, place[there], np.column_stack([values, np.ones(len(told))])[there])
    return {name: sums[:-1, i].copy() for i, name in enumerate((*SUMS, EMBEDDED))}
