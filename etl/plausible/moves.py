"""How each bar moved from the one before it, with what splits explain of it taken out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from etl.plausible.past import BAR

SERIES = ["instrument_id", "interval"]
# A bar counts as having jumped when even its nearest price is that far off, in logarithms, and
# so many daily deviations.
_JUMP, _DEVIATIONS = 0.47, 8.0
# A split below 15 % drowns in an ordinary day. Between its ratio and none, its day tells by this.
_LEAST_SPLIT, _NO_MOVE = 0.14, 0.35
_CALMEST, _WILDEST, _UNKNOWN = 0.005, 0.15, 0.06


def moves(bars: pl.DataFrame, past: pl.DataFrame, splits: pl.DataFrame, place: str) -> pl.DataFrame:
    """Stored and new bars in time, with what happened since the one before.

    bars: `BAR` and `place`. past: `BAR`. splits: instrument_id, ex_date, value. Added columns:
    raw: logarithm of close over the close before; split: of the shares that one has become since;
    move: their sum; gap: the part of it that no price of the bar bridges; deviation: the usual
    size of a move; days: since the bar before; jumped: see `_flagged`. Null in a first bar.
    """
    rows = pl.concat(
        [past.select(*BAR, pl.lit(None, pl.Int64()).alias(place)), bars.select(*BAR, place)]
    ).sort(*SERIES, "event_time", place, nulls_last=False)
    rows = _with_splits(rows, splits)
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in SERIES)

    def since(column: str, before: str) -> pl.Expr:
        return pl.when(same).then(pl.col(column) - pl.col(before).shift())

    logs = {name: pl.col(name).log().alias(f"log_{name}") for name in ("close", "high", "low")}
    # A bar that came split-adjusted has the split in its price, and the one before it, too.
    told = pl.when(pl.col("adjustment") == "none").then(since("shares", "shares")).otherwise(0.0)
    rows = rows.with_columns(*logs.values()).with_columns(
        raw=since("log_close", "log_close"),
        split=pl.when(same).then(told),
        low_to=since("log_low", "log_close"),
        high_to=since("log_high", "log_close"),
        days=since("session", "session").dt.total_days(),
    )
    split = pl.col("split")
    low, high = pl.col("low_to") + split, pl.col("high_to") + split
    rows = rows.with_columns(
        move=pl.col("raw") + split,
        gap=pl.when(low > 0).then(low).when(high < 0).then(high).otherwise(0.0),
    )
    return _flagged(_with_deviation(rows))


def _with_splits(rows: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    if not splits.height:
        return rows.with_columns(shares=pl.lit(0.0))
    each = splits.group_by("instrument_id", "ex_date").agg(pl.col("value").product().log())
    grown = each.sort("ex_date").with_columns(
        pl.col("value").cum_sum().over("instrument_id").alias("shares")
    )
    found = (
        rows.select("instrument_id", "session")
        .with_row_index("row")
        .sort("session")
        .join_asof(
            grown.select("instrument_id", "ex_date", "shares"),
            left_on="session",
            right_on="ex_date",
            by="instrument_id",
            check_sortedness=False,  # it is sorted above
        )
        .sort("row")
    )
    return rows.with_columns(found["shares"].fill_null(0.0))


def _with_deviation(rows: pl.DataFrame) -> pl.DataFrame:
    size = pl.col("move").abs()
    usual = rows.group_by(SERIES).agg(
        (1.4826 * size.median()).clip(_CALMEST, _WILDEST).alias("deviation"),
        size.count().alias("known"),
    )
    few = pl.when(pl.col("known") < 10).then(pl.max_horizontal("deviation", pl.lit(_UNKNOWN)))
    usual = usual.with_columns(few.otherwise("deviation").fill_null(_UNKNOWN).alias("deviation"))
    return rows.join(usual.drop("known"), on=SERIES, how="left", maintain_order="left")


def _flagged(rows: pl.DataFrame) -> pl.DataFrame:
    wide = pl.max_horizontal(pl.lit(_JUMP), _DEVIATIONS * pl.col("deviation"))
    split, least = pl.col("split").abs(), pl.max_horizontal(pl.lit(_LEAST_SPLIT), "deviation")
    ignored = (split >= least) & (pl.col("raw").abs() < _NO_MOVE * split)
    return rows.with_columns(
        ignored=ignored.fill_null(False),
        jumped=(ignored | (pl.col("gap").abs() > wide)).fill_null(False),
    )


@dataclass(frozen=True)
class Jump:
    """A bar that jumped: its position among the new bars of its series, and columns of `moves`."""

    at: int
    move: float
    raw: float
    split: float
    deviation: float
    ignored: bool


@dataclass(frozen=True)
class Series:
    """The new bars of one instrument and interval that has jumps; rows: their `moves` rows."""

    instrument_id: str
    rows: NDArray[np.int64]
    known: bool  # whether bars of it were stored before
    jumps: list[Jump]


def jumping(rows: pl.DataFrame, place: str) -> Iterator[Series]:
    """Each series in which a new bar jumped."""
    numbered = rows.with_row_index("row")
    some = numbered.filter(pl.col("jumped") & pl.col(place).is_not_null()).select(SERIES).unique()
    names = ["move", "raw", "split", "deviation", "ignored"]
    touched = numbered.join(some, on=SERIES, how="semi", maintain_order="left")
    for (name, *_), part in touched.group_by(SERIES, maintain_order=True):
        new = part.filter(pl.col(place).is_not_null()).with_row_index("at")
        jumps = new.filter("jumped").select("at", *names)
        yield Series(
            str(name),
            new["row"].to_numpy().astype(np.int64),
            new.height < part.height,
            [Jump(*row) for row in jumps.iter_rows()],
        )
