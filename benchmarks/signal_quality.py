"""What a gate over our own forecasts gains on real stocks, after costs.

    python benchmarks/signal_quality.py <folder of data sets> [--stocks 60]

Stocks as in benchmarks/sp500.py, which are survivors. Parts answer out of sample, folds walking
forward: `trend_5` (soft vote of logistic regression and XGBoost), `return_5` (quantile trees) and
`volatility_5` (HAR), with their plain hyperparameters. The gates learn from what these said and the
market's state, in folds of their own over the sessions that are left, beside who always holds and
equal weights. Ten basis points to enter and leave; basis points per session; intervals are over
sessions of labels that overlap by five.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table
from settled import matrix_of, samples_of
from sp500 import BEHIND, STOCKS, bars_of, known_by, panel_of

from features.engine import evaluate
from features.feature import FEATURES
from features.panel.panel import Panel
from features.target import target
from features.view import view
from training.bundle.inputs import ROW, beside, named
from training.ensemble import ENSEMBLES
from training.evidence.evidence import CONFIDENCE, Evidence, Value, gather
from training.evidence.walk import Learner, Walk, tested, walk, walk_together
from training.expert import EXPERTS
from training.forecast import Floats
from training.objective import OBJECTIVES, Objective
from training.recipe import recipe
from training.samples.folds import WalkForward
from training.samples.samples import Samples, from_matrix

PARTS = {
    "trend": ("trend", "trend_5", ("logistic", "xgboost")),
    "return": ("return", "return_5", ("quantile_trees",)),
    "volatility": ("volatility", "volatility_5", ("har",)),
}
MODES = ("softmax", "weighted", "meta", "rules")


def walked(objective: Objective, names: Sequence[str], samples: Samples) -> Walk:
    """What experts, or the soft vote of several, said out of sample."""
    folds = WalkForward().split(samples)
    walks = [walk(Learner(EXPERTS.get(name)(), objective), samples, folds) for name in names]
    if len(walks) == 1:
        return walks[0]
    return walk_together(ENSEMBLES.get("soft")(), [w.forecasts for w in walks], samples, folds)


def heard(panel: Panel, features: Mapping[str, Floats]) -> tuple[pa.Table, Evidence]:
    """What the parts said of each row, by ROW, and the evidence of the trend."""
    whole: pa.Table | None = None
    for part, (name, asked, experts) in PARTS.items():
        objective, label = OBJECTIVES.get(name), target(asked).label
        samples = samples_of(panel, features, label, BEHIND)
        folds = WalkForward().split(samples)
        said, test = walked(objective, experts, samples), samples.take(tested(folds))
        if part == "trend":
            trend = gather({"soft": said}, samples, folds, label.horizon)["soft"]
        moments = pa.array(test.as_of).cast(pa.timestamp("us", "UTC"))
        key = pa.table({"instrument_id": test.instruments.tolist(), "as_of": moments})
        found = named(key, part, objective.columns, said.forecasts.values)
        whole = found if whole is None else beside(whole, found, "inner")
        typer.echo(f"{part}: {', '.join(experts)}, {len(test):,} rows foretold")
    assert whole is not None
    return whole, trend


def gates(samples: Samples) -> dict[str, Evidence]:
    """Evidence of each gate beside those that hold always or weigh all parts alike."""
    signal, folds = OBJECTIVES.get("signal"), WalkForward().split(samples)
    walks = {
        mode: walk(Learner(EXPERTS.get("gate")(mode=mode), signal), samples, folds)
        for mode in MODES
    }
    return gather(walks, samples, folds, target("signal").label.horizon)


def shown(found: Mapping[str, Evidence]) -> Table:
    """Utility, what is left after costs, turnover, and each gate's gain over the baselines."""
    one = found[MODES[0]]
    table = Table("gate", "utility", "net return", "turnover", "over hold", "over equal weights")
    table.title = f"{one.n:,} rows of {one.sessions} sessions, {one.first} to {one.last}"
    for name, scores in one.scores.items():
        lost = scores["utility_loss"]
        cells = [_cell(Value(-lost.value, -lost.high, -lost.low)), _cell(scores["net_return"])]
        cells.append(f"{scores['turnover'].value:.3f}")
        for other in ("hold", "equal_weights"):
            apart = found[name].beside[other]["utility_loss"] if name in found else None
            cells.append(_cell(Value(-apart.value, -apart.high, -apart.low)) if apart else "")
        table.add_row(name, *cells)
    return table


def curve(trend: Evidence) -> Table:
    """The trend's part when it answers the surest rows only."""
    table = Table("answered", "least chance", "accuracy", "direction loss")
    table.title = f"trend_5, {trend.n:,} rows; ECE {_cell(trend.own['ece'], '')}"
    for share, scores in trend.coverage.items():
        cells = (_cell(scores[name], "") for name in ("accuracy", "direction_loss"))
        table.add_row(share, f"{scores[CONFIDENCE].value:.3f}", *cells)
    return table


def _cell(value: Value, sign: str = "+") -> str:
    numbers = (x + 0.0 for x in (value.value, value.low, value.high))  # no minus before zero
    middle, low, high = (f"{x:{sign}.3f}" for x in numbers)
    return f"{middle} [{low}, {high}]"


def main(
    data: Annotated[Path, typer.Argument(help="holds sp500_daily")],
    stocks: Annotated[int, STOCKS] = 60,
) -> None:
    """Print what gates gain, and the curve of the trend that they hear."""
    panel, console = panel_of(bars_of(data, stocks)), Console(width=160)
    learnt = known_by(panel, view("daily_5").features)
    features = evaluate(panel, [FEATURES.get(name) for name in learnt], dtype=np.float32)
    said, trend = heard(panel, features)
    state = recipe("signal").features
    own = {name: features[name] for name in state}
    matrix = beside(matrix_of(panel, own, target("signal").label, BEHIND), said, "inner")
    samples = from_matrix(matrix, (*state, *(n for n in said.column_names if n not in ROW)))
    typer.echo(f"{len(panel.instruments)} survivors, {len(samples):,} rows for the gates")
    console.print(shown(gates(samples)))
    console.print(curve(trend))


if __name__ == "__main__":
    typer.run(main)
