"""XGBoost as our expert calls it, beside the library given one matrix: seconds, memory, trees.

    python benchmarks/xgboost_speed.py <folder of data sets> [--stocks 0] [--rounds 40]

The rows of `trend_1` on `sp500_daily`, with the features of `benchmarks/sp500_whole.py`. A fit of
the expert: the number of rounds is found on the newest sessions, then all rows are learnt. The
library has contiguous float32 matrices of the three parts that lie ready; the expert gathers its
rows from the history that all experts share. Both in turns, on one thread; seconds are of a
processor, memory is what comes on top while they bin and train.
"""

from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Annotated, Any

import numpy as np
import typer
from settled import samples_of
from sp500 import BEHIND, STOCKS, bars_of, known_by, panel_of
from sp500_whole import VIEW
from stagewise import forget, peak

from features.engine import evaluate
from features.feature import FEATURES
from features.target import target
from features.view import view
from training.bundle.models.boosted import Boosted
from training.experts.trees import Trees
from training.forecast import Values
from training.objective import OBJECTIVES
from training.samples.folds import inner_split
from training.samples.samples import Samples

HEAD = OBJECTIVES.get("trend").head


def rows_of(data: Path, stocks: int) -> Samples:
    """Settled rows of trends."""
    panel = panel_of(bars_of(data, stocks))
    learnt = known_by(panel, view(VIEW).features)
    features = evaluate(panel, [FEATURES.get(name) for name in learnt], dtype=np.float32)
    return samples_of(panel, features, target("trend_1").label, BEHIND)


class Bare:
    """What the expert does, written with the library alone: stopped early, then all rows."""

    def __init__(self, expert: Trees, samples: Samples) -> None:
        older, newest = inner_split(samples, expert.inner)
        self.older, self.newest, self.whole = map(_matrix, (older, newest, samples))
        own = expert.hyperparameters()
        self.rounds, self.patience, _ = (own.pop(name) for name in ("rounds", "patience", "inner"))
        named = {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": HEAD.width}
        self.parameters = {"tree_method": "hist", "nthread": 1, **named, **own}

    def fit(self) -> bytes:
        """The model."""
        import xgboost

        given = self._given(self.older)
        tried = xgboost.train(
            self.parameters,
            given,
            self.rounds,
            evals=[(self._given(self.newest, given), "inner")],
            early_stopping_rounds=self.patience,
            verbose_eval=False,
        )
        kept = xgboost.train(self.parameters, self._given(self.whole), tried.best_iteration + 1)
        return bytes(kept.save_raw("ubj"))

    def _given(self, rows: tuple[Values, Values], like: Any = None) -> Any:
        from xgboost import QuantileDMatrix

        return QuantileDMatrix(rows[0], label=rows[1], missing=np.nan, nthread=1, ref=like)


def _matrix(samples: Samples) -> tuple[Values, Values]:
    return samples.values, samples.truth.astype(np.float32)


def measured(train: Callable[[], bytes]) -> tuple[float, float, bytes]:
    """Seconds of a processor, GiB on top of what was resident before, and the model."""
    forget()
    before, began = peak(), process_time()
    model = train()
    return process_time() - began, peak() - before, model


def main(
    data: Annotated[Path, typer.Argument(help="holds sp500_daily")],
    stocks: Annotated[int, STOCKS] = 0,
    rounds: Annotated[int, typer.Option(help="trees per class")] = 40,
    turns: Annotated[int, typer.Option(help="how often each")] = 2,
) -> None:
    """Print a line per turn, then ratios of the fastest."""
    samples, expert = rows_of(data, stocks), Trees(rounds=rounds)
    library = Bare(expert, samples)
    fits = {"bare": library.fit, "ours": lambda: expert.fit(samples, HEAD).files()[Boosted.file]}
    size = library.whole[0].nbytes / 2**30
    typer.echo(f"{len(samples):,} rows, {len(samples.features)} features, {size:.2f} GiB")
    found: dict[str, list[tuple[float, float, bytes]]] = {"bare": [], "ours": []}
    for _ in range(turns):
        for name, train in fits.items():
            found[name].append(measured(train))
            seconds, more, _model = found[name][-1]
            typer.echo(f"{name}: {seconds:.1f} s of a processor, {more:+.2f} GiB")
    fastest = {name: min(row[0] for row in rows) for name, rows in found.items()}
    same = {row[2] for rows in found.values() for row in rows}
    typer.echo(f"ours over bare: {fastest['ours'] / fastest['bare']:.3f}")
    typer.echo("the same model, byte by byte" if len(same) == 1 else "OTHER trees")


if __name__ == "__main__":
    typer.run(main)
