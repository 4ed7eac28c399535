"""A panel column of the sector that an instrument belongs to."""

import numpy as np
import polars as pl

from contracts.tables import MEMBERSHIPS, SECTOR
from features.input import Columns, Known, Made, Need, Reading, Rows, Sample, panel_input
from features.panel.spans import covered


def _gather(read: Known) -> Known:
    told = read["memberships"].filter(pl.col("universe").str.starts_with(SECTOR))
    number = pl.col("universe").rank("dense").cast(pl.Float64) - 1.0
    return {"sectors": told.with_columns(number=number)}


def _made(made: Sample) -> Known:
    """Two sectors by turns; the third instrument is in one from the middle on."""
    days, places = made.session.tolist(), range(len(made.instruments))
    begins = [len(days) // 2 if place == 2 else 0 for place in places]
    frame = pl.DataFrame(
        {
            "instrument_id": made.instruments,
            "number": [float(place % 2) for place in places],
            "valid_from": [days[begin] for begin in begins],
            "known_at": [made.as_of[begin].item() for begin in begins],
        }
    )
    known_at = pl.col("known_at").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return {"sectors": frame.with_columns(known_at, valid_to=pl.lit(None, pl.Date()))}


def _drawn(made: Sample) -> Columns:
    count, rows = len(made.instruments), len(made.session)
    return {"sector": np.repeat(np.arange(count) % 2 * 1.0 + 1.0, rows)}


@panel_input(
    columns={"sector": "a number per sector, the same for all who belong to it at the row's close"},
    needs=(Need(MEMBERSHIPS),),
    reading=Reading(gather=_gather),
    sample=Made(facts=_made, columns=_drawn),
)
def sector(rows: Rows, known: Known) -> Columns:
    """Null for those in none."""
    out = np.full(len(rows.session), np.nan)
    for (number,), versions in known["sectors"].group_by("number", maintain_order=True):
        out[covered(rows.session, rows.as_of, versions)] = number
    return {"sector": out}
