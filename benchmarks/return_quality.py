"""How well returns are foretold on real stocks: our experts beside naive quantiles.

    python benchmarks/return_quality.py <folder of data sets> [--stocks 60] [--target return_1]

Daily bars of members of the S&P 500 of April 2021, looked back upon from 2005 to 2019: survivors,
whose falls ended well. Of those that traded in all sessions, evenly chosen by name. Folds walk
forward in time; trees have the hyperparameters of the target's recipe, untuned, the network
narrower layers than its own.
Losses are in percent, lower is better; R2 is on raw returns. A rank information coefficient is the
rank correlation of expected and true returns over the stocks of a session. Intervals are over
sessions.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import settled
import typer
from rich.console import Console
from rich.table import Table
from scipy.stats import rankdata
from sp500 import STOCKS, bars_of, panel_of

from features.engine import evaluate
from features.feature import FEATURES
from features.panel.panel import Panel
from features.target import target
from training.ensemble import ENSEMBLES
from training.evidence.evidence import Evidence, Value, gather
from training.evidence.intervals import estimate
from training.evidence.walk import Learner, Walk, tested, walk, walk_together
from training.expert import EXPERTS
from training.forecast import Floats
from training.objectives.return_ import LEVELS, SCALE, Return, expected
from training.recipe import RECIPES, recipe
from training.samples.folds import Fold, WalkForward
from training.samples.samples import Samples, from_matrix

# The set has no texts.
LEARNT = tuple(f for f in recipe("demo_return").features if not f.startswith("news_"))
# Rows of a stock that are left to look back on: a quarter.
BEHIND = 67
SURE = ("pinball", "r2", "coverage_90")  # shown with their intervals
Fixed = Mapping[str, Mapping[str, Any]]
NARROW = {"window": 20, "first": 16, "second": 8, "dense": 16, "epochs": 4, "batch": 2048}


def matrix_of(panel: Panel, name: str) -> pa.Table:
    """Features and truths of a target, the latter once a quarter of history is behind each row."""
    features = evaluate(panel, [FEATURES.get(one) for one in LEARNT], dtype=np.float32)
    return settled.matrix_of(panel, features, target(name).label, BEHIND)


def walks_of(
    samples: Samples, folds: Sequence[Fold], experts: Sequence[str], fixed: Fixed
) -> dict[str, Walk]:
    """What the experts say out of sample, and the soft vote of several."""
    asked = Return()
    fields = {**fixed, "bilstm": {**fixed.get("bilstm", {}), **NARROW}}
    walks = {
        name: walk(Learner(EXPERTS.get(name)(**fields.get(name, {})), asked), samples, folds)
        for name in experts
    }
    if len(walks) > 1:
        said = [one.forecasts for one in walks.values()]
        walks["soft"] = walk_together(ENSEMBLES.get("soft")(), said, samples, folds)
    return walks


def rank_information(said: Floats, rows: Samples, overlap: int) -> Value:
    """The mean over sessions of the rank correlation of expected and true returns."""
    starts = np.flatnonzero(np.append(True, rows.sessions[1:] != rows.sessions[:-1]))
    pairs = zip(np.split(said, starts[1:]), np.split(rows.truth, starts[1:]), strict=True)
    found = np.array([_correlation(rankdata(a), rankdata(b)) for a, b in pairs])
    found = found[np.isfinite(found)]
    if len(found) < 2:
        return Value(0.0, -np.inf, np.inf)
    left_out = (found.sum() - found) / (len(found) - 1)
    mean = float(found.mean())
    return Value(mean, *estimate(mean, left_out, overlap).interval())


def follows(rows: Samples) -> float:
    """By which power of volatility the mean size of returns grows, over ten classes of volatility.

    What `power` of conformal units is (`training.bundle.models.scaled`).
    """
    scale = rows.column(SCALE).astype(np.float64)
    known = np.flatnonzero(scale > 0)
    classes = np.array_split(known[np.argsort(scale[known])], 10)
    sizes = [(scale[one].mean(), np.abs(rows.truth[one]).mean()) for one in classes]
    return float(np.polyfit(*np.log(sizes).T, 1)[0])


def _correlation(a: Floats, b: Floats) -> float:
    flat = len(a) < 5 or not np.ptp(a) or not np.ptp(b)
    return float("nan") if flat else float(np.corrcoef(a, b)[0, 1])


def shown(found: Evidence) -> Table:
    """Scores with intervals, and by how much the pinball loss of others is larger."""
    title = f"{found.n:,} rows of {found.sessions} sessions, {found.first} to {found.last}"
    loss, metrics = Return.learned, list(found.own)
    table = Table("forecaster", *metrics, f"{loss} over {found.expert}'s", title=title)
    for name, scores in found.scores.items():
        cells = [scores[m].told(".4f") if m in SURE else f"{scores[m].value:.4f}" for m in metrics]
        apart = found.beside[name][loss] if name in found.beside else None
        worse = Value(-apart.value, -apart.high, -apart.low).told("+.4f") if apart else ""
        table.add_row(name, *cells, worse)
    return table


def covered(walks: dict[str, Walk], rows: Samples, overlap: int) -> Table:
    """How the 90 % interval covers terciles of volatility, its width, and rank information."""
    table = Table("forecaster", "calm", "middle", "storm", "spread", "mean width", "rank IC")
    order = np.argsort(rows.column(SCALE), kind="stable")
    for name, one in walks.items():
        values = one.forecasts.values
        low, high = values[:, LEVELS.index(0.05)], values[:, LEVELS.index(0.95)]
        inside = (low <= rows.truth) & (rows.truth <= high)
        shares = [float(inside[part].mean()) for part in np.array_split(order, 3)]
        ranks = rank_information(expected(values), rows, overlap).told("+.4f")
        width = f"{(high - low).mean():.2%}"
        spread = f"{max(shares) - min(shares):.3f}"
        table.add_row(name, *(f"{share:.3f}" for share in shares), spread, width, ranks)
    return table


def main(
    data: Annotated[Path, typer.Argument(help="holds sp500_daily")],
    stocks: Annotated[int, STOCKS] = 60,
    target_: Annotated[str, typer.Option("--target", help="what is foretold")] = "return_1",
    expert: Annotated[list[str] | None, typer.Option(help="who foretells, repeatable")] = None,
) -> None:
    """Print the scores of all forecasters on the same rows."""
    panel = panel_of(bars_of(data, stocks))
    samples = from_matrix(matrix_of(panel, target_), LEARNT)
    typer.echo(f"{len(panel.instruments)} survivors, {len(samples):,} rows to learn from and ask")
    folds, overlap = WalkForward().split(samples), target(target_).label.horizon
    learnt = samples.take(folds[0].train)
    typer.echo(f"returns grow with volatility by the power {follows(learnt):.2f}, first fold")
    [fixed] = [one.fixed for one in RECIPES if one.target == target_ and one.name[:6] == "return"]
    walks = walks_of(samples, folds, expert or ["quantile_trees"], fixed)
    everybody = walks | walks_of(samples, folds, [Return.zero], {})
    console = Console(width=170)
    console.print(shown(gather(everybody, samples, folds, overlap)[list(walks)[-1]]))
    console.print(covered(everybody, samples.take(tested(folds)), overlap))


if __name__ == "__main__":
    typer.run(main)
