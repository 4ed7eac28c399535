"""Dividends held against the price of their ex-date and against the instrument's others."""

from functools import partial

import polars as pl

FEW = "dividend is not below the price"
UNPAID = "price did not fall by the dividend"
REASONS = (FEW, UNPAID)
UNIT = "dividend is a hundred times off those beside it: another unit of money"
TWICE = "the same dividend was paid a few days before"

_FAR = 0.08  # of its price: a smaller dividend drowns in an ordinary day
_ODDS = 8.0  # logarithm: how much likelier the day is without the dividend
_CALM = 0.015  # least daily deviation: a price that seldom trades falls later, too
_NEAR_HUNDRED = 0.4  # in logarithms
_DAYS = 5  # within which one dividend is not paid twice


def doubted(paid: pl.DataFrame, steps: pl.DataFrame, place: str) -> pl.DataFrame:
    """Columns place and `why` of the dividends that cannot be right.

    paid: `etl.plausible.past.ACTION` and place. steps: `etl.plausible.moves.moves`.
    """
    seen = _priced(paid, steps)
    share = pl.col("share")
    fall = (1.0 - share).log()
    # The likelihoods of the day's move with a fall by the dividend and without one.
    odds = fall * (fall - 2.0 * pl.col("move")) / (2.0 * pl.col("deviation") ** 2)
    why = (
        pl.when(share >= 1.0)
        .then(pl.lit(FEW))
        .when((share >= _FAR) & (odds > _ODDS))
        .then(pl.lit(UNPAID))
    )
    return (
        seen.with_columns(why.alias("why")).filter(pl.col("why").is_not_null()).select(place, "why")
    )


def _priced(paid: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """With share: of the price before the ex-date; move, deviation: of the bar at or after it."""
    split = pl.when("ignored").then(0.0).otherwise("split")
    days = (pl.col("days") * 5 / 7).clip(1.0, 10.0)
    daily = (
        steps.filter(interval="1d")
        .sort("session")
        .select(
            "instrument_id",
            "session",
            pl.col("close").alias("last"),
            # A dividend is of the shares after a split of its day.
            (pl.col("close") * (-pl.col("raw") - split).exp()).alias("before"),
            (pl.col("raw") + split).alias("move"),
            pl.max_horizontal("deviation", pl.lit(_CALM)) * days.sqrt(),
        )
    )
    at = partial(paid.sort("ex_date").join_asof, left_on="ex_date", right_on="session")
    beside = partial(at, by="instrument_id", check_sortedness=False)  # it is sorted above
    after = beside(daily.drop("last"), strategy="forward")
    # One that lies ahead, or behind a series' first bar, has only the nearest price.
    before = beside(daily.select("instrument_id", "session", "last"))
    dated = after.with_columns(before["last"])
    price = pl.coalesce("before", "last")
    return dated.with_columns(share=pl.col("value") / price)


def odd(paid: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Columns instrument_id, ex_date, said: dividends that are right and look strange.

    paid, stored: `etl.plausible.past.ACTION`, new ones and those from before.
    """
    names = ["instrument_id", "ex_date", "value"]
    every = pl.concat(
        [
            frame.filter(pl.col("value") > 0, kind="dividend").select(*names, new=pl.lit(new))
            for frame, new in ((stored, False), (paid, True))
        ]
    )
    every = every.unique(names[:2], keep="last").sort(names[:2])

    def beside(step: int, column: str) -> pl.Expr:
        return pl.col(column).shift(step).over("instrument_id")

    def hundredfold(step: int) -> pl.Expr:
        off = (pl.col("value") / beside(step, "value")).log().abs() - pl.lit(100.0).log()
        return off.abs() < _NEAR_HUNDRED

    soon = (pl.col("ex_date") - beside(1, "ex_date")).dt.total_days() <= _DAYS
    again = (soon & (pl.col("value") == beside(1, "value"))).fill_null(False)
    marked = every.with_columns(again=again)
    rare = pl.col("again") & (pl.col("again").sum().over("instrument_id") <= 1)
    # The newest is held against the two before it: the one before may be the odd one.
    other = hundredfold(-1).fill_null(hundredfold(2)).fill_null(True)
    unit = hundredfold(1).fill_null(False) & other
    said = pl.when(rare).then(pl.lit(TWICE)).when(unit).then(pl.lit(UNIT)).alias("said")
    told = marked.with_columns(said).filter("new", pl.col("said").is_not_null())
    return told.select(*names[:2], "said")
