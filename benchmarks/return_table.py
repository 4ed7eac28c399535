"""Returns of Indian stocks, gold and silver, each beside who says zero.

    python benchmarks/return_table.py <folder of data sets> [--stocks 20] [--target return_1]

NSE stocks (bars as traded, splits told by nights that took a third of the price or more) and MCX
futures of gold and silver from 2015 on, all in rupees, up to 2017. Each has the sessions of its own
exchange, with its own close; where one rests nothing is filled in. Features that look at others
see those of the same exchange. All rows are learnt together, folds walk forward in time; errors are
in percent of the price, R2 is on raw returns, beside the mean of the asset's own.
"""

from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import pyarrow as pa
import settled
import typer
from commodities_files import bars_of as commodity_bars
from return_quality import LEARNT, matrix_of
from rich.console import Console
from rich.table import Table

from features.inputs.adjust import PRICES, Actions, adjusted
from features.panel.panel import Panel
from features.target import target
from training.evidence.evidence import Scored
from training.evidence.score import tally
from training.evidence.walk import Learner, Walk, tested, walk
from training.expert import EXPERTS
from training.forecast import Floats
from training.objective import Forecasts
from training.objectives.return_ import Return
from training.samples.folds import WalkForward
from training.samples.samples import Samples, from_matrix

FIRST, LAST = date(2010, 1, 1), date(2017, 12, 29)
# When the exchanges close, by the clock of Greenwich: 15:30 and 23:55 in Mumbai.
NSE, MCX = np.timedelta64(600, "m"), np.timedelta64(1105, "m")
METALS = {
    "GOLD": "mcx_gold_daily_2015_2022.csv.gz",
    "SILVER": "mcx_silver_daily_2015_2022.csv.gz",
}
FALL = 0.7
RATIOS = np.array([1.5, 5 / 3, 2.0, 2.5, 3.0, 4.0, 5.0, 10.0, 15.0, 20.0])


def stock_bars(data: Path, stocks: int) -> pl.DataFrame:
    """Bars as traded of stocks that were there from the first session, evenly chosen by name."""
    raw = pl.read_parquet(data / "nifty50_daily" / "nifty50_2000_2017.parquet")
    bars = raw.select(
        pl.col("file").alias("symbol"),
        pl.col("date").str.to_date().alias("session"),
        *(*PRICES, "volume"),
    ).unique(["symbol", "session"], keep="first", maintain_order=True)
    bars = bars.filter(pl.col("session").is_between(FIRST, LAST)).sort("symbol", "session")
    starts = bars.group_by("symbol").agg(pl.min("session")).sort("symbol")
    old = starts.filter(pl.col("session") == pl.col("session").min())["symbol"]
    places = np.unique(np.linspace(0, len(old) - 1, min(stocks, len(old))).astype(int))
    return bars.filter(pl.col("symbol").is_in(old[places].to_list()))


def metal_bars(data: Path) -> pl.DataFrame:
    """Bars of gold and silver."""
    parts = []
    for symbol, name in METALS.items():
        raw = pl.read_csv(data / "commodities" / name, infer_schema_length=0)
        own = commodity_bars(raw).select(
            pl.lit(symbol).alias("symbol"), "session", *PRICES, "volume"
        )
        parts.append(own.filter(pl.col("session") <= LAST).sort("session"))
    return pl.concat(parts)


def panel_of(bars: pl.DataFrame, closes: np.timedelta64) -> Panel:
    """The panel of one exchange, each session decided at its close."""
    return settled.panel_of(bars, _columns, lambda days: days.astype("datetime64[us]") + closes)


def _columns(part: pl.DataFrame) -> dict[str, Floats]:
    raw = {name: part[name].cast(pl.Float64).to_numpy() for name in (*PRICES, "volume")}
    session = part["session"].to_numpy().astype("datetime64[D]")
    fell = np.append(1.0, raw["open"][1:] / raw["close"][:-1])
    split = fell < FALL
    nearest = np.abs(np.log(RATIOS * fell[split][:, None])).argmin(axis=1)
    nothing = Actions(np.empty(0, "datetime64[D]"), np.empty(0))
    splits = Actions(session[split], RATIOS[nearest])
    return adjusted(raw, session, np.full(len(part), "none"), splits, nothing)


def shown(walks: dict[str, Walk], rows: Samples, overlap: int) -> Table:
    """Errors of each asset and of all, the expert's beside those of who says zero."""
    heads = [f"{metric}, {name}" for metric in ("MAE", "RMSE", "R2") for name in walks]
    days = f"{rows.sessions[0]} to {rows.sessions[-1]}"
    table = Table("asset", "rows", *heads, title=f"Raw returns, {days}")
    names = [*np.unique(rows.instruments).tolist(), "all"]
    for name in names:
        own = rows.instruments == name if name != "all" else np.ones(len(rows), bool)
        part = rows.take(own)
        scores = {}
        for who, one in walks.items():
            said = Forecasts(Return(), one.forecasts.values[own])
            found = tally(said, part.truth, part.sessions)
            scores[who] = Scored(found.scores(), found.left_out(), overlap).values()
        plain = [f"{scores[who][m].value:.4f}" for m in ("mae", "rmse") for who in walks]
        table.add_row(
            name, f"{len(part):,}", *plain, *(scores[who]["r2"].told("+.4f") for who in walks)
        )
    return table


def main(
    data: Annotated[Path, typer.Argument(help="holds nifty50_daily and commodities")],
    stocks: Annotated[int, typer.Option(min=2, help="how many stocks")] = 20,
    target_: Annotated[str, typer.Option("--target", help="what is foretold")] = "return_1",
) -> None:
    """Print the table."""
    exchanges = ((stock_bars(data, stocks), NSE), (metal_bars(data), MCX))
    parts = [matrix_of(panel_of(*one), target_) for one in exchanges]
    samples = from_matrix(pa.concat_tables(parts), LEARNT)
    folds = WalkForward(warm_up=0.65).split(samples)
    rows = samples.take(tested(folds))
    trees = walk(Learner(EXPERTS.get("quantile_trees")(), Return()), samples, folds)
    nothing = [Return.baselines["zero"](samples.take(f.train), samples.take(f.test)) for f in folds]
    zero = Walk(Forecasts(Return(), np.concatenate([one.values for one in nothing])), {})
    overlap = target(target_).label.horizon
    Console(width=170).print(shown({"trees": trees, "zero": zero}, rows, overlap))


if __name__ == "__main__":
    typer.run(main)
