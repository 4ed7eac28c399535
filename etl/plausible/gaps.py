"""Sessions in which an instrument brought nothing, told where they are many: a halt, or a hole."""

import polars as pl

from etl.plausible.plausible import FINDING
from etl.rules import Context

LONGEST_GAP = 5  # sessions; a halt of a day or some refused bars leave shorter ones


def gaps(bars: pl.DataFrame, context: Context, past: pl.DataFrame) -> pl.DataFrame:
    """A finding per hole of more than `LONGEST_GAP` sessions between two daily bars.

    bars: judged ones: a refused bar was delivered, and makes no hole.
    past: `etl.plausible.past.BAR`.
    """
    names = ["instrument_id", "session"]
    days = pl.concat(
        [
            frame.filter(interval="1d").select(*names, new=pl.lit(new))
            for frame, new in ((bars, True), (past, False))
        ]
    ).drop_nulls()
    number = pl.int_range(pl.len()).over("calendar").alias("number")
    sessions = context.sheet.sort("calendar", "session").select("calendar", "session", number)
    numbered = (
        days.unique(names, keep="first")
        .join(context.instruments.select("instrument_id", "calendar"), on="instrument_id")
        .join(sessions, on=["calendar", "session"])
        .sort(names)
    )
    missing = (pl.col("number") - pl.col("number").shift() - 1).over("instrument_id")
    last = pl.col("session").shift().over("instrument_id")
    said = pl.format(
        "no bar for more than {} sessions: {} since {}", pl.lit(LONGEST_GAP), missing, last
    )
    return (
        numbered.with_columns(said=said, missing=missing, table_name=pl.lit("bars"))
        .filter("new", pl.col("missing") > LONGEST_GAP)
        .select(list(FINDING))
    )
