"""Dividends held against the price of their ex-date and against the instrument's others."""

import polars as pl

FEW = "dividend is not below the price"
UNPAID = "price did not fall by the dividend"
UNIT = "dividend is a hundred times off the others: another unit of money"
REASONS = (FEW, UNPAID, UNIT)
TWICE = "the same dividend was paid a few days before"

_FAR = 0.04  # of its price: a smaller dividend drowns in an ordinary day
_ODDS = 8.0  # logarithm: how much likelier the day is without the dividend
_FELL = -2.0  # the same, of a day on which the price surely fell by it
_NEAR_HUNDRED = 0.4  # in logarithms
_DAYS = 5  # within which one dividend is not paid twice


def doubted(
    paid: pl.DataFrame, steps: pl.DataFrame, stored: pl.DataFrame, place: str
) -> pl.DataFrame:
    """Columns place and `why` of the dividends that cannot be right.

    paid: `etl.past.ACTION` and place. steps: `etl.moves.moves`. stored: `ACTION` from before.
    """
    seen = _priced(paid, steps)
    share = pl.col("share")
    fall = (1.0 - share).log()
    # The likelihoods of the day's move with a fall by the dividend and without one.
    odds = fall * (fall - 2.0 * pl.col("move")) / (2.0 * pl.col("deviation") ** 2)
    others = pl.concat([stored.filter(kind="dividend").select("instrument_id", "value"), paid.select("instrument_id", "value")])
    usual = others.filter(pl.col("value") > 0).group_by("instrument_id").agg(
        pl.col("value").median().alias("usual"), pl.len().alias("known")
    )
    seen = seen.join(usual, on="instrument_id", how="left", maintain_order="left")
    off = (pl.col("value") / pl.col("usual")).log().abs() - pl.lit(100.0).log()
    why = (
        pl.when(share >= 1.0)
        .then(pl.lit(FEW))
        .when((share >= _FAR) & (odds > _ODDS))
        .then(pl.lit(UNPAID))
        .when((pl.col("known") >= 3) & (off.abs() < _NEAR_HUNDRED) & ~(odds < _FELL).fill_null(False))
        .then(pl.lit(UNIT))
    )
    return seen.with_columns(why.alias("why")).filter(pl.col("why").is_not_null()).select(
        place, "why"
    )


def _priced(paid: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """With share: of the price before the ex-date; move, deviation: of the bar at or after it."""
    split = pl.when("ignored").then(0.0).otherwise("split")
    days = (pl.col("days") * 5 / 7).clip(1.0, 10.0)
    daily = steps.filter(interval="1d").sort("session").select(
        "instrument_id",
        "session",
        pl.col("close").alias("last"),
        # A dividend is of the shares after a split of its day.
        (pl.col("close") * (-pl.col("raw") - split).exp()).alias("before"),
        (pl.col("raw") + split).alias("move"),
        pl.max_horizontal("deviation", pl.lit(0.01)) * days.sqrt(),
    )
    on = {"left_on": "ex_date", "right_on": "session", "by": "instrument_id"}
    dated = paid.sort("ex_date").join_asof(
        daily.drop("last"), **on, strategy="forward", check_sortedness=False
    )
    # One that lies ahead, or behind a series' first bar, has only the nearest price.
    older = daily.select("instrument_id", "session", "last")
    dated = dated.drop("session", strict=False).join_asof(older, **on, check_sortedness=False)
    price = pl.coalesce("before", "last")
    return dated.with_columns(share=pl.col("value") / price)


def repeated(paid: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Dividends of the amount of the one before, a few days after it, where that is not usual."""
    names = ["instrument_id", "ex_date", "value"]
    every = pl.concat(
        [
            frame.filter(kind="dividend").select(*names, pl.lit(new).alias("new"))
            for frame, new in ((stored, False), (paid, True))
        ]
    )
    every = every.unique(names[:2], keep="last").sort(names[:2])
    same = pl.all_horizontal(pl.col(n) == pl.col(n).shift().over("instrument_id") for n in ("value",))
    gap = pl.col("ex_date") - pl.col("ex_date").shift().over("instrument_id")
    again = (same & (gap.dt.total_days() <= _DAYS)).fill_null(False)
    marked = every.with_columns(again.alias("again"))
    rare = pl.col("again").sum().over("instrument_id") <= 1
    return marked.filter("again", "new", rare)
