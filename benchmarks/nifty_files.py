"""Convert daily bars of NSE stocks to the layout of the source `files`, special sessions included.

    python benchmarks/nifty_files.py <nifty50_daily folder> <target folder>
    FINPULSE_CALENDAR=XNSE FINPULSE_DATA=<target folder> python -m etl load --source files

The folder holds Parquet files with file (today's symbol), date, open, high, low, close, volume.
`sessions.csv` says where the exchange traded on other days than the calendar knows: on a day that
is no session most stocks have a bar, or on a session none has. The hour of trade at Diwali
(Muhurat) lies in the evening, whether the day is a session otherwise or not. Who does not know the
day of an announcement leaves `known_at` out: such a session is known when it opens.
"""

from datetime import date
from pathlib import Path

import polars as pl
import typer

from contracts.time.calendar import sessions

CALENDAR = "XNSE"
# Days of Lakshmi's worship. The exchange announces an hour between these times for each of them.
_MUHURAT = (
    "2000-10-26 2001-11-14 2002-11-04 2003-10-25 2004-11-12 2005-11-01 2006-10-21 2007-11-09 "
    "2008-10-28 2009-10-17 2010-11-05 2011-10-26 2012-11-13 2013-11-03 2014-10-23 2015-11-11 "
    "2016-10-30 2017-10-19 2018-11-07 2019-10-27 2020-11-14 2021-11-04 2022-10-24 2023-11-12"
)
MUHURAT = frozenset(map(date.fromisoformat, _MUHURAT.split()))
_OPENS, _CLOSES = "17:00", "20:00"
_MARKET = 5  # stocks that make a day's presence or absence the exchange's


def stated(bars: pl.DataFrame) -> pl.DataFrame:
    """What `sessions.csv` says: columns calendar, session, status, opens, closes.

    bars: columns symbol, session. A day counts where at least half of the stocks listed by then,
    and five of them, have a bar; one without counts where no stock has any.
    """
    days = bars.group_by("session").len().sort("session")
    listed = bars.group_by("symbol").agg(pl.min("session")).sort("session")
    before = listed.group_by("session", maintain_order=True).len("listed")
    counted = days.join(before, on="session", how="left").with_columns(
        pl.col("listed").fill_null(0).cum_sum()
    )
    traded = counted.filter((pl.col("len") * 2 >= pl.col("listed")) & (pl.col("len") >= _MARKET))[
        "session"
    ].to_list()
    first, last = days["session"][0], days["session"][-1]
    usual = set(sessions(CALENDAR, first, last))
    evenings = [day for day in traded if day in MUHURAT]
    added = sorted({*evenings, *(set(traded) - usual)})
    closed = sorted(usual - set(days["session"])) if len(listed) >= _MARKET else []
    rows = [(CALENDAR, day, "open", *_hours(day)) for day in added]
    rows += [(CALENDAR, day, "closed", None, None) for day in closed]
    schema = {"calendar": pl.String, "session": pl.Date, "status": pl.String}
    return pl.DataFrame(rows, schema | {"opens": pl.String, "closes": pl.String}, orient="row")


def _hours(day: date) -> tuple[str | None, str | None]:
    return (_OPENS, _CLOSES) if day in MUHURAT else (None, None)


def convert(nifty: Path, target: Path) -> None:
    """Write bars, instruments and sessions; rows that repeat another exactly are left out."""
    raw = pl.concat([pl.read_parquet(path) for path in sorted(nifty.glob("*.parquet"))])
    day = pl.col("date").str.to_date() if raw.schema["date"] == pl.String else pl.col("date")
    every = raw.select(
        pl.col("file").alias("symbol"),
        day.cast(pl.Date).alias("session"),
        *("open", "high", "low", "close", "volume"),
    )
    bars = every.unique(maintain_order=True).sort("symbol", "session")
    told = stated(bars)
    names = bars.select("symbol").unique().sort("symbol")
    listed = names.with_columns(calendar=pl.lit(CALENDAR), currency=pl.lit("INR"))
    target.mkdir(parents=True, exist_ok=True)
    bars.write_parquet(target / "bars.parquet")
    listed.write_csv(target / "instruments.csv")
    told.write_csv(target / "sessions.csv")
    counts = dict(told.group_by("status").len().iter_rows())
    typer.echo(
        f"{target}: {listed.height} symbols, {every.height} rows read, {bars.height} bars, "
        f"{every.height - bars.height} exact repeats left out, {counts.get('open', 0)} sessions "
        f"added or moved, {counts.get('closed', 0)} removed"
    )


if __name__ == "__main__":
    typer.run(convert)
