"""Convert daily prices of gold, silver and oil to the layout of the source `files`.

    python benchmarks/commodities_files.py <commodities folder> <target folder>
    FINPULSE_CALENDAR=24/7 FINPULSE_DATA=<target folder> python -m etl load --source files

No library has the calendars of these markets, so `sessions.csv` makes them: MCX with its evening
sessions (to 23:55 in Mumbai), EIA for spot prices of oil (New York), OANDA for days of quoted gold
(UTC). A session is a day on which an instrument of the calendar has a row. Gold in dollars
is the middle of bid and ask; a spot price is open, high, low and close in one, without volume.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import typer

_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Calendar:
    """A calendar of our own: its time zone and its hours, by the clock in it."""

    name: str
    timezone: str
    opens: str
    closes: str


MCX = Calendar("MCX", "Asia/Kolkata", "09:00", "23:55")
EIA = Calendar("EIA", "America/New_York", "09:00", "17:00")
OANDA = Calendar("OANDA", "UTC", "00:00", "23:59:59")
FILES = {
    "mcx_gold_daily_2015_2022": ("MCX_GOLD", MCX, "INR"),
    "mcx_silver_daily_2015_2022": ("MCX_SILVER", MCX, "INR"),
    "wti_daily": ("WTI", EIA, "USD"),
    "brent_daily": ("BRENT", EIA, "USD"),
    "xauusd_oanda_daily_quote": ("XAUUSD", OANDA, "USD"),
}


def bars_of(raw: pl.DataFrame) -> pl.DataFrame:
    """Columns session, open, high, low, close, volume of a file as it was delivered (texts)."""
    if "Price" in raw.columns:
        prices = [pl.col("Price").alias(name) for name in _PRICES]
        day, volume = pl.col("Date"), pl.lit(0.0)
    elif "bid_open" in raw.columns:
        prices = [
            ((_real(f"bid_{name}") + _real(f"ask_{name}")) / 2).round(6).alias(name)
            for name in _PRICES
        ]
        day, volume = pl.col("datetime").str.slice(0, 8), pl.lit(0.0)
    else:
        prices = [_real(name) for name in _PRICES]
        day, volume = pl.col("date"), _real("volume")
    parsed = pl.coalesce(
        day.str.to_date("%Y-%m-%d", strict=False), day.str.to_date("%Y%m%d", strict=False)
    )
    return raw.select(
        parsed.alias("session"),
        *(price.cast(pl.Float64) for price in prices),
        volume.alias("volume"),
    )


def _real(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64)


def sessions_of(days: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """The rows of `sessions.csv` that make the calendar. days: one column, session."""
    return (
        days.unique()
        .sort("session")
        .select(
            pl.lit(calendar.name).alias("calendar"),
            "session",
            pl.lit(calendar.opens).alias("opens"),
            pl.lit(calendar.closes).alias("closes"),
            pl.lit(calendar.timezone).alias("timezone"),
        )
    )


def convert(commodities: Path, target: Path) -> None:
    """Write bars, instruments and sessions of the files that are there, and count their rows."""
    frames, listed, days = [], [], {}
    for name, (symbol, calendar, currency) in FILES.items():
        path = commodities / f"{name}.csv.gz"
        if not path.exists():
            continue
        bars = bars_of(pl.read_csv(path, infer_schema=False))
        frames.append(bars.select(pl.lit(symbol).alias("symbol"), pl.all()))
        listed.append((symbol, calendar.name, currency, "commodity"))
        days.setdefault(calendar, []).append(bars.select("session"))
        typer.echo(f"{symbol}: {bars.height} rows")
    told = [sessions_of(pl.concat(parts), calendar) for calendar, parts in days.items()]
    target.mkdir(parents=True, exist_ok=True)
    pl.concat(frames).write_parquet(target / "bars.parquet")
    names = ("symbol", "calendar", "currency", "asset_class")
    pl.DataFrame(listed, names, orient="row").write_csv(target / "instruments.csv")
    pl.concat(told).write_csv(target / "sessions.csv")
    total = sum(frame.height for frame in frames)
    typer.echo(f"{target}: {total} bars, {sum(part.height for part in told)} sessions")


if __name__ == "__main__":
    typer.run(convert)
