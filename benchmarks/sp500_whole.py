"""All of `sp500_daily` learnt and foretold in one run: seconds and memory of each stage, scores.

    python benchmarks/sp500_whole.py <folder of data sets> [--stocks 0] [--folds 4]

430 survivors, those listed late and those with gaps among them, 2005 to 2019, with what the bars
tell of the features of `daily_5`. Which way (`trend_1`) is learnt by logistic regression, XGBoost
and a small LSTM, how far (`volatility_5`) by HAR, GARCH and XGBoost, alone and upon HAR. Folds walk
forward in time; hyperparameters are the experts' own but for the LSTM's larger batches. Intervals
are over sessions.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from settled import samples_of
from sp500 import BEHIND, STOCKS, bars_of, known_by, panel_of
from stagewise import Stages
from volatility_quality import LevelHar

from features.engine import evaluate
from features.feature import FEATURES
from features.target import target
from features.view import view
from training.calibration import CALIBRATIONS
from training.ensemble import ENSEMBLES
from training.evidence.evidence import CONFIDENCE, Evidence, Value, gather
from training.evidence.walk import Learner, Walk, walk, walk_calibrated, walk_together
from training.expert import EXPERTS
from training.objective import OBJECTIVES, Forecasts, Objective
from training.samples.folds import Fold, WalkForward
from training.samples.samples import Samples

VIEW = "daily_5"
LSTM = {"units": 16, "batch": 4096, "epochs": 4}
TREND: dict[str, dict[str, Any]] = {"logistic": {}, "xgboost": {}, "lstm": LSTM}
VOLATILITY: dict[str, dict[str, Any]] = {"har": {}, "garch": {}, "xgboost": {}, "har_xgboost": {}}
CALIBRATED = ("temperature", "isotonic")
SHOWN = {
    "trend": ("accuracy", "log_loss", "direction_loss", "ece"),
    "volatility": ("qlike", "log_error"),
}
BESIDE = {"trend": "class_prior", "volatility": "har_levels"}


def walks_of(
    objective: Objective,
    members: dict[str, dict[str, Any]],
    rows: tuple[Samples, Sequence[Fold]],
    stages: Stages,
) -> dict[str, Walk]:
    """What the experts said out of sample, and their soft vote."""
    walks = {}
    for name, fields in members.items():
        with stages.stage(f"{objective.name}: {name}"):
            walks[name] = walk(Learner(EXPERTS.get(name)(**fields), objective), *rows)
    said = [one.forecasts for one in walks.values()]
    return walks | {"soft": walk_together(ENSEMBLES.get("soft")(), said, *rows)}


def ways(samples: Samples, cut: WalkForward, stages: Stages) -> Evidence:
    """Evidence of the soft vote about trends, before and after calibration."""
    folds = cut.split(samples)
    walks = walks_of(OBJECTIVES.get("trend"), TREND, (samples, folds), stages)
    with stages.stage("trend: calibrated and judged"):
        for name in CALIBRATED:
            member = CALIBRATIONS.get(name)()
            walks[f"soft, {name}"] = walk_calibrated(member, walks["soft"], samples, folds)
        return gather(walks, samples, folds, 1)["soft"]


def sizes(samples: Samples, cut: WalkForward, stages: Stages, horizon: int) -> Evidence:
    """Evidence of HAR with trees about volatility, beside all others."""
    folds, volatility = cut.split(samples), OBJECTIVES.get("volatility")
    walks = walks_of(volatility, VOLATILITY, (samples, folds), stages)
    with stages.stage("volatility: HAR in levels, judged"):
        levels = [LevelHar().answer(samples.take(f.train), samples.take(f.test)) for f in folds]
        values = np.concatenate([one.values for one in levels])
        walks["har_levels"] = Walk(Forecasts(volatility, values), {})
        return gather(walks, samples, folds, horizon)["har_xgboost"]


def shown(found: Evidence) -> Table:
    """Scores of all forecasters, the first as a share of a baseline's, and by how much the loss
    that decides is above that of whose evidence it is."""
    metrics, base = SHOWN[found.objective], BESIDE[found.objective]
    first = OBJECTIVES.get(found.objective).judged[0].name
    title = f"{found.objective}: {found.n:,} rows, {found.sessions} sessions"
    share = f"{metrics[0]} of {base}'s"
    table = Table("forecaster", *metrics, share, f"{first} over {found.expert}'s")
    least = found.scores[base][metrics[0]].value
    table.title = f"{title}, {found.first} to {found.last}"
    for name in sorted(found.scores, key=lambda one: found.scores[one][metrics[-1]].value):
        cells = [found.scores[name][metric].told(".4f") for metric in metrics]
        cells.append(f"{found.scores[name][metrics[0]].value / least:.3f}")
        apart = found.beside[name][first] if name in found.beside else None
        over = Value(-apart.value, -apart.high, -apart.low) if apart else None
        table.add_row(name, *cells, over.told("+.4f") if over else "")
    return table


def covered(found: Evidence) -> Table:
    """How often who answers the surest rows only is right, by the share that is answered."""
    table = Table("answered", "least chance of the named class", "accuracy", "direction loss")
    table.title = f"{found.expert}, the surest rows"
    for share, scores in found.coverage.items():
        least = f"{scores[CONFIDENCE].value:.3f}"
        table.add_row(
            share, least, scores["accuracy"].told(".4f"), scores["direction_loss"].told(".4f")
        )
    return table


def main(
    data: Annotated[Path, typer.Argument(help="holds sp500_daily")],
    stocks: Annotated[int, STOCKS] = 0,
    folds: Annotated[int, typer.Option(min=2, help="how often all is learnt anew")] = 4,
) -> None:
    """Print the scores as they are known, and the stages."""
    stages, console, cut = Stages(), Console(width=175), WalkForward(folds)
    with stages.stage("bars and panel"):
        panel = panel_of(bars_of(data, stocks))
    with stages.stage("features"):
        learnt = known_by(panel, view(VIEW).features)
        features = evaluate(panel, [FEATURES.get(name) for name in learnt], dtype=np.float32)
    rows, stocks = len(panel.session), len(panel.instruments)
    typer.echo(f"{stocks} survivors, {rows:,} rows of {len(learnt)} features")
    with stages.stage("trend: rows"):
        samples = samples_of(panel, features, target("trend_1").label, BEHIND)
    trend = ways(samples, cut, stages)
    console.print(shown(trend), covered(trend))
    label = target("volatility_5").label
    with stages.stage("volatility: rows"):
        samples = samples_of(panel, features, label, BEHIND)
    console.print(shown(sizes(samples, cut, stages, label.horizon)))
    console.print(stages.shown())


if __name__ == "__main__":
    typer.run(main)
