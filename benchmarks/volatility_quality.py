"""How well volatility is foretold on real stocks: our experts beside what is usually taken.

    python benchmarks/volatility_quality.py <folder of data sets> [--stocks 60]

Stocks as in benchmarks/sp500.py, which are survivors; the label of `volatility_5`, and the same of
one session. Folds walk forward in time, experts have their plain hyperparameters. Lower is better;
intervals are over sessions, of labels that overlap by five.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table
from settled import samples_of
from sp500 import BEHIND, STOCKS, bars_of, panel_of

from features.engine import evaluate
from features.feature import FEATURES
from features.labels.realised_volatility import RealisedVolatility
from training.ensemble import ENSEMBLES
from training.evidence.evidence import Evidence, gather
from training.evidence.intervals import per_session
from training.evidence.walk import Learner, Told, Walk, tested, walk, walk_together
from training.expert import EXPERTS
from training.experts import har
from training.forecast import Floats
from training.objective import Forecasts
from training.objectives.volatility import FLOOR, Volatility, factor
from training.recipe import recipe
from training.samples.folds import Fold, WalkForward
from training.samples.samples import Samples

HORIZONS, EXPERT_NAMES = (5, 1), recipe("volatility").experts
# The set has no texts, and sessions of one exchange rest alike.
LEFT_OUT = ("news_count_1", "days_rested")
LEARNT = tuple(f for f in recipe("demo_volatility").features if f not in LEFT_OUT)
ENOUGH = 60  # rows of a stock that its own regression takes
LEVELS = tuple(f"realised_volatility_{sessions}" for sessions in (1, 5, 22))
# HAR in logarithms, pooled, with market terms: what an expert has to add to.
WITH_MARKET = (*LEVELS, "realised_volatility_66", "market_volatility_1", "market_volatility_5")


@dataclass(frozen=True)
class LevelHar:
    """Corsi (2009) as first written: least squares on variances, of each stock alone.

    What it says is kept between the least and the largest variance that the stock had in training:
    Bollerslev, Patton and Quaedvlieg (2016), the "insanity filter".
    """

    def answer(self, train: Samples, test: Samples) -> Forecasts:
        """Of the test rows, times the one factor that is best on the training rows."""
        inside, outside = np.empty(len(train)), np.empty(len(test))
        for stock in np.unique(np.concatenate([train.instruments, test.instruments])):
            own, asked = train.instruments == stock, test.instruments == stock
            # Who was listed too late to learn from is answered by what all taught.
            learnt = train.take(own) if own.sum() >= ENOUGH else train
            inside[own] = self._of_one(learnt, train.take(own))
            outside[asked] = self._of_one(learnt, test.take(asked))
        best = factor(inside, train.truth)
        return Forecasts(Volatility(), best * outside[:, None])

    def _of_one(self, learnt: Samples, asked: Samples) -> Floats:
        truth = np.maximum(learnt.truth, FLOOR) ** 2
        weights = np.linalg.lstsq(_with_one(learnt), truth, rcond=None)[0]
        return np.sqrt(np.clip(_with_one(asked) @ weights, truth.min(), truth.max()))


def _with_one(rows: Samples) -> Floats:
    levels = [rows.column(name).astype(np.float64) ** 2 for name in LEVELS]
    return np.column_stack([np.ones(len(rows)), *levels])


def walks_of(samples: Samples, folds: Sequence[Fold], say: Told) -> dict[str, Walk]:
    """What experts, their soft vote, and peers that are no experts of ours said out of sample."""
    volatility, soft = Volatility(), ENSEMBLES.get("soft")()
    walks = {}
    for name in EXPERT_NAMES:
        began = perf_counter()
        walks[name] = walk(Learner(EXPERTS.get(name)(), volatility), samples, folds)
        say(f"{name}: {perf_counter() - began:.0f} s")
    members = [walks[name].forecasts for name in EXPERT_NAMES]
    walks["soft"] = walk_together(soft, members, samples, folds)
    walks["har_market"] = walk(Learner(har.Har(terms=WITH_MARKET), volatility), samples, folds)
    levels = [LevelHar().answer(samples.take(f.train), samples.take(f.test)) for f in folds]
    values = np.concatenate([one.values for one in levels])
    return walks | {"har_levels": Walk(Forecasts(volatility, values), {})}


def confidence(said: Mapping[str, Forecasts], test: Samples, horizon: int) -> dict[str, float]:
    """P-values of the model confidence set (Hansen, Lunde and Nason, 2011) of mean session losses.

    Who has one of 10 % or more is in the set of 90 %. By `arch`, whose blocks are four horizons.
    """
    from arch.bootstrap import MCS

    losses = {}
    for name, answer in said.items():
        [qlike, *_] = answer.objective.losses(answer, test.truth).values()
        _, sums, rows = per_session(qlike, test.sessions)
        losses[name] = sums / rows
    table = pd.DataFrame(losses)
    found = MCS(table, size=0.1, reps=2000, block_size=max(22, 4 * horizon), seed=7)
    found.compute()
    return {str(name): float(p) for name, p in found.pvalues["Pvalue"].items()}


def shown(found: Evidence, inside: Mapping[str, float], title: str) -> Table:
    """Scores with intervals, each beside HAR in levels and HAR with market terms, and the set."""
    table = Table(
        "forecaster", "QLIKE", "of HAR in levels", "less that of HAR with market", "MCS p"
    )
    table.title = (
        f"{title}: {found.n:,} rows of {found.sessions} sessions, {found.first} to {found.last}"
    )
    base = found.scores["har_levels"]["qlike"].value
    order = sorted(found.scores, key=lambda name: found.scores[name]["qlike"].value)
    for name in order:
        score = found.scores[name]["qlike"]
        # `beside` is that of HAR with market terms less the other's.
        apart = found.beside[name]["qlike"] if name in found.beside else None
        less = _cell(-apart.value, -apart.high, -apart.low, "+") if apart else ""
        cells = [_cell(score.value, score.low, score.high), f"{score.value / base:.3f}", less]
        table.add_row(name, *cells, f"{inside[name]:.3f}" if name in inside else "")
    return table


def _cell(value: float, low: float, high: float, sign: str = "") -> str:
    return f"{value:{sign}.4f} [{low:{sign}.4f}, {high:{sign}.4f}]"


def main(
    data: Annotated[Path, typer.Argument(help="holds sp500_daily")],
    stocks: Annotated[int, STOCKS] = 60,
) -> None:
    """Print the scores of all forecasters on the same rows, a day and a week ahead."""
    panel = panel_of(bars_of(data, stocks))
    features = evaluate(panel, [FEATURES.get(name) for name in LEARNT], dtype=np.float32)
    for horizon in HORIZONS:
        label = RealisedVolatility(horizon, "garman_klass_overnight")
        samples = samples_of(panel, features, label, BEHIND)
        typer.echo(f"{len(panel.instruments)} survivors, {len(samples):,} rows, {horizon} days")
        folds = WalkForward().split(samples)
        walks = walks_of(samples, folds, typer.echo)
        found = gather(walks, samples, folds, horizon)["har_market"]
        test, volatility = samples.take(tested(folds)), Volatility()
        said = {name: one.forecasts for name, one in walks.items()}
        for name, baseline in volatility.baselines.items():
            parts = [baseline(samples.take(f.train), samples.take(f.test)).values for f in folds]
            said[name] = Forecasts(volatility, np.concatenate(parts))
        inside = confidence(said, test, horizon)
        Console(width=130).print(shown(found, inside, f"{horizon} days ahead"))


if __name__ == "__main__":
    typer.run(main)
