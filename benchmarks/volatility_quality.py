"""How well volatility is foretold on real stocks: our experts beside what is usually taken.

    python benchmarks/volatility_quality.py <folder of data sets> [--stocks 60]

Daily bars of members of the S&P 500 of April 2021, looked back upon from 2005 to 2019: survivors,
whose storms ended well. Of those that traded in all sessions, evenly chosen by name. Target
`volatility_5`; folds walk forward in time, experts have their plain hyperparameters. Lower is
better; intervals are over sessions, of labels that overlap by five.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table

from contracts.time.calendar import session_close
from features.engine import evaluate
from features.feature import FEATURES
from features.inputs.adjust import PRICES, Actions, adjusted
from features.inputs.index import level_of
from features.panel.panel import Panel
from features.target import target
from training.ensemble import ENSEMBLES
from training.evidence.evidence import Evidence, gather
from training.evidence.walk import Learner, Walk, walk, walk_together
from training.expert import EXPERTS
from training.forecast import Floats
from training.objective import Forecasts
from training.objectives.volatility import FLOOR, Volatility, factor
from training.recipe import recipe
from training.samples.folds import Fold, WalkForward
from training.samples.samples import Samples, from_matrix

TARGET, EXPERT_NAMES = "volatility_5", ("har", "xgboost")
# The set has no texts, and sessions of one exchange rest alike.
LEFT_OUT = ("news_count_1", "days_rested")
LEARNT = tuple(f for f in recipe("demo_volatility").features if f not in LEFT_OUT)
LEVELS = tuple(f"realised_volatility_{sessions}" for sessions in (1, 5, 22))


def bars_of(data: Path, stocks: int) -> pl.DataFrame:
    """Bars as traded, with dividends and splits, of stocks that miss no session."""
    path = data / "sp500_daily" / "daily_adjusted_2005_2019.parquet"
    bars = pl.read_parquet(path).with_columns(pl.col("date").str.to_date())
    lengths = bars.group_by("ticker").len()
    whole = lengths.filter(pl.col("len") == lengths["len"].max())["ticker"].sort()
    places = np.unique(np.linspace(0, len(whole) - 1, min(stocks, len(whole))).astype(int))
    return bars.filter(pl.col("ticker").is_in(whole[places].to_list())).sort("ticker", "date")


def panel_of(bars: pl.DataFrame) -> Panel:
    """The panel of those bars; all decisions are taken at the closes of New York."""
    parts = bars.partition_by("ticker", maintain_order=True)
    columns = [_columns(part) for part in parts]
    joined = {name: np.concatenate([c[name] for c in columns]) for name in columns[0]}
    session = bars["date"].to_numpy()
    days, place = np.unique(session, return_inverse=True)
    closes = [session_close("XNYS", day).replace(tzinfo=None) for day in days.tolist()]
    total, first = joined["total"], bars["ticker"] != bars["ticker"].shift()
    grown = np.append(np.nan, total[1:] / total[:-1] - 1.0)
    grown[first.fill_null(True).to_numpy()] = np.nan
    level = level_of(place, grown, len(days))
    joined["index_return"] = np.append(np.nan, level[1:] / level[:-1] - 1.0)[place]
    return Panel(
        columns=joined,
        offsets=np.cumsum([0, *map(len, parts)]),
        instruments=tuple(part["ticker"][0] for part in parts),
        ended=np.full(len(parts), np.datetime64("NaT", "us")),
        session=session,
        as_of=np.array(closes, dtype="datetime64[us]")[place],
        decided=np.ones(len(session), bool),
    )


def _columns(part: pl.DataFrame) -> dict[str, Floats]:
    raw = {name: part[name].cast(pl.Float64).to_numpy() for name in (*PRICES, "volume")}
    split = part.filter(pl.col("split_coefficient") != 1.0)
    paid = part.filter(pl.col("dividend_amount") > 0.0)
    return adjusted(
        raw,
        part["date"].to_numpy(),
        np.full(len(part), "none"),
        Actions(split["date"].to_numpy(), split["split_coefficient"].to_numpy()),
        Actions(paid["date"].to_numpy(), paid["dividend_amount"].to_numpy()),
    )


def samples_of(panel: Panel) -> Samples:
    """The settled rows, once a quarter of history is behind each."""
    found = evaluate(panel, [FEATURES.get(name) for name in LEARNT], dtype=np.float32)
    label = target(TARGET).label
    outcome = label.settle(panel, label.basis(panel))
    stocks = np.array(panel.instruments)[panel.segment]
    unknown = ~outcome.settled | (panel.place < 67)

    def told(values: np.ndarray) -> pa.Array:
        return pa.array(values, from_pandas=True, mask=unknown)

    moment = pa.timestamp("us", "UTC")
    table = pa.table(
        {
            "instrument_id": stocks,
            "symbol": stocks,
            "session": pa.array(panel.session, pa.date32()),
            "as_of": pa.array(panel.as_of).cast(moment),
            **{name: pa.array(values, from_pandas=True) for name, values in found.items()},
            "label": told(outcome.value),
            "settled_at": told(outcome.settled_at).cast(moment),
            "total_return": told(outcome.total_return),
            "delisted": told(outcome.delisted),
            "ambiguous": told(outcome.ambiguous),
        }
    )
    return from_matrix(table, LEARNT)


@dataclass(frozen=True)
class LevelHar:
    """Corsi (2009) as first written: least squares on variances, of each stock alone.

    What it says is kept between the least and the largest variance that the stock had in training:
    Bollerslev, Patton and Quaedvlieg (2016), the "insanity filter".
    """

    def answer(self, train: Samples, test: Samples) -> Forecasts:
        """Of the test rows, times the one factor that is best on the training rows."""
        inside, outside = np.empty(len(train)), np.empty(len(test))
        for stock in np.unique(test.instruments):
            own, asked = train.instruments == stock, test.instruments == stock
            inside[own], outside[asked] = self._of_one(train.take(own), test.take(asked))
        best = factor(inside, train.truth)
        return Forecasts(Volatility(), best * outside[:, None])

    def _of_one(self, train: Samples, test: Samples) -> tuple[Floats, Floats]:
        truth = np.maximum(train.truth, FLOOR) ** 2
        x, asked = (_with_one(rows) for rows in (train, test))
        weights = np.linalg.lstsq(x, truth, rcond=None)[0]
        sane = (np.clip(rows @ weights, truth.min(), truth.max()) for rows in (x, asked))
        inside, outside = map(np.sqrt, sane)
        return inside, outside


def _with_one(rows: Samples) -> Floats:
    levels = [rows.column(name).astype(np.float64) ** 2 for name in LEVELS]
    return np.column_stack([np.ones(len(rows)), *levels])


def evidence_of(samples: Samples, folds: Sequence[Fold]) -> Evidence:
    """The ensemble's evidence beside its experts, the objective's baselines and HAR in levels."""
    volatility, soft = Volatility(), ENSEMBLES.get("soft")()
    walks = {n: walk(Learner(EXPERTS.get(n)(), volatility), samples, folds) for n in EXPERT_NAMES}
    walks["soft"] = walk_together(soft, [w.forecasts for w in walks.values()], samples, folds)
    levels = [LevelHar().answer(samples.take(f.train), samples.take(f.test)) for f in folds]
    values = np.concatenate([one.values for one in levels])
    walks["har_levels"] = Walk(Forecasts(volatility, values), {})
    overlap = target(TARGET).label.horizon
    return gather(walks, samples, folds, overlap)["soft"]


def shown(found: Evidence) -> Table:
    """Scores with intervals, and by how much each is worse than the soft vote."""
    title = (
        f"{TARGET}: {found.n:,} rows of {found.sessions} sessions, {found.first} to {found.last}"
    )
    table = Table("forecaster", "QLIKE", "squared log error", "QLIKE over soft's", title=title)
    for name, scores in found.scores.items():
        cells = [_cell(scores[m].value, scores[m].low, scores[m].high) for m in scores]
        apart = found.beside[name]["qlike"] if name in found.beside else None
        # `beside` is the soft vote's minus the other's.
        worse = _cell(-apart.value, -apart.high, -apart.low, "+") if apart else ""
        table.add_row(name, *cells, worse)
    return table


def _cell(value: float, low: float, high: float, sign: str = "") -> str:
    return f"{value:{sign}.4f} [{low:{sign}.4f}, {high:{sign}.4f}]"


def main(
    data: Annotated[Path, typer.Argument(help="holds sp500_daily")],
    stocks: Annotated[int, typer.Option(min=5, help="how many of those that missed nothing")] = 60,
) -> None:
    """Print the scores of all forecasters on the same rows."""
    panel = panel_of(bars_of(data, stocks))
    samples = samples_of(panel)
    typer.echo(f"{len(panel.instruments)} survivors, {len(samples):,} rows to learn from and ask")
    Console(width=130).print(shown(evidence_of(samples, WalkForward().split(samples))))


if __name__ == "__main__":
    typer.run(main)
