"""Volumes that a consolidation has rounded, kept as they were stored before it.

A provider divides volumes by a later 1:10 split and rounds: undone, 12,345 comes back as 12,340 or
12,350. That is no new knowledge of the bar, and must not make a version of every one.
"""

import polars as pl

_KEY = ["instrument_id", "interval", "event_time"]
_SAME = ["open", "high", "low", "close", "adjustment"]


def steady(rows: pl.DataFrame, kept: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """The judged bars, with the stored volume where theirs differs by the rounding alone.

    kept: `etl.plausible.past.KEPT`, the stored bars of the same sessions. splits: instrument_id,
    ex_date, value. Rows keep their order.
    """
    if not kept.height:
        return rows
    before = kept.drop("session").rename({name: f"{name}_kept" for name in (*_SAME, "volume")})
    both = rows.join(before, on=_KEY, how="left", maintain_order="left")
    days = kept.select("instrument_id", "session").unique()
    later = days.join(splits, on="instrument_id").filter(pl.col("ex_date") > pl.col("session"))
    total = later.group_by("instrument_id", "session").agg(pl.col("value").product().alias("fold"))
    both = both.join(total, on=["instrument_id", "session"], how="left", maintain_order="left")
    same = pl.all_horizontal(pl.col(name) == pl.col(f"{name}_kept") for name in _SAME)
    near = (pl.col("volume") - pl.col("volume_kept")).abs() <= 0.5 / pl.col("fold") + 0.5
    volume = pl.when(same & near & (pl.col("fold") < 1)).then("volume_kept").otherwise("volume")
    return both.with_columns(volume.alias("volume")).select(rows.columns)
