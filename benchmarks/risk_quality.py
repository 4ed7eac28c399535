"""How well losses are foretold on real stocks: our experts beside historical simulation.

    python benchmarks/risk_quality.py <folder of data sets> [--stocks 60]

Stocks as in benchmarks/sp500.py, which are survivors. FZ0 is lower for the better; intervals are
over sessions. Below, an equal-weight book of the stocks, one number per session: its value at risk
is the mean of the stocks', times what diversification left of that in the 500 sessions before.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from settled import samples_of
from sp500 import BEHIND, STOCKS, bars_of, panel_of

from features.engine import evaluate
from features.feature import FEATURES
from features.target import target
from training.ensemble import ENSEMBLES
from training.evidence.backtest import Verdict, backtest
from training.evidence.evidence import Evidence, gather
from training.evidence.intervals import per_session
from training.evidence.walk import Walk, walk_together
from training.expert import EXPERTS
from training.forecast import Floats
from training.objective import Forecasts
from training.objectives.risk import HEAD, Risk, losses_of, right
from training.recipe import recipe
from training.samples.folds import Fold, WalkForward
from training.samples.samples import Samples

TARGETS, EXPERT_NAMES = ("risk_1", "risk_10"), recipe("risk").experts
LEARNT = recipe("demo_risk").features
# How much stocks fall together changes within years.
RECENT = 500


def answered(samples: Samples, folds: Sequence[Fold]) -> dict[str, list[tuple[Floats, Floats]]]:
    """What everybody said of each fold's training rows, and of its test rows."""
    risk, said = Risk(), dict[str, list[tuple[Floats, Floats]]]()
    for name in EXPERT_NAMES:
        began = perf_counter()
        said[name] = []
        for fold in folds:
            expert, train = EXPERTS.get(name)(), samples.take(fold.train)
            fitted = expert.fit(train, risk.head)
            asked = (train, samples.take(fold.test))
            inside, outside = (expert.forecast(fitted, rows) for rows in asked)
            said[name].append((inside, outside))
        typer.echo(f"{name}: {perf_counter() - began:.0f} s")
    for name, baseline in risk.baselines.items():
        pairs = [(samples.take(f.train), samples.take(f.test)) for f in folds]
        said[name] = [(baseline(a, a).values, baseline(a, b).values) for a, b in pairs]
    return said


def evidence_of(
    said: Mapping[str, list[tuple[Floats, Floats]]], samples: Samples, folds: Sequence[Fold], h: int
) -> Evidence:
    """Evidence of the soft vote beside all others."""
    risk = Risk()
    until = [np.full(len(f.test), samples.settled_at[f.train].max()) for f in folds]
    learnt = np.concatenate(until)
    walks = {}
    for name in EXPERT_NAMES:
        values = np.concatenate([outside for _, outside in said[name]])
        walks[name] = Walk(Forecasts(risk, values, learnt=learnt), {})
    members = [walks[name].forecasts for name in EXPERT_NAMES]
    walks["soft"] = walk_together(ENSEMBLES.get("soft")(), members, samples, folds)
    return gather(walks, samples, folds, h)["soft"]


def book_of(
    pairs: Sequence[tuple[Floats, Floats]], samples: Samples, folds: Sequence[Fold]
) -> tuple[Floats, Floats]:
    """The book's losses (sessions,), and what was foretold of them (sessions, width)."""
    lost, told = [], []
    for (inside, outside), fold in zip(pairs, folds, strict=True):
        before, came = _book(inside, samples.take(fold.train))
        asked, test = _book(outside, samples.take(fold.test))
        values, truth = np.concatenate([before, asked]), np.concatenate([came, test])
        spans = [slice(i - RECENT, i) for i in range(len(before), len(values))]
        shares = np.stack([right(values[span], truth[span]) for span in spans])
        told.append(HEAD.from_means(asked * shares))
        lost.append(losses_of(test))
    return np.concatenate(lost), np.concatenate(told)


def _book(values: Floats, rows: Samples) -> tuple[Floats, Floats]:
    columns = [per_session(column, rows.sessions) for column in (*values.T, rows.truth)]
    means = np.stack([sums / counts for _, sums, counts in columns], axis=1)
    return means[:, :-1], means[:, -1]


def shown(found: Evidence, title: str) -> Table:
    """Scores with intervals, and by how much each is worse than the soft vote."""
    table = Table("forecaster", "FZ0", "beyond 95 %", "beyond 99 %", "lean", "FZ0 over soft's")
    table.title = f"{title}: {found.n:,} rows, {found.sessions} sessions from {found.first} on"
    for name in sorted(found.scores, key=lambda one: found.scores[one]["fz0"].value):
        scores = found.scores[name]
        fz0, shares = scores["fz0"], (scores[m].value for m in ("exceeded_95", "exceeded_99"))
        apart = found.beside[name]["fz0"] if name in found.beside else None
        worse = _cell(-apart.value, -apart.high, -apart.low, "+") if apart else ""
        cells = [_cell(fz0.value, fz0.low, fz0.high), *(f"{share:.2%}" for share in shares)]
        table.add_row(name, *cells, f"{scores['lean'].value:+.3f}", worse)
    return table


def tested(name: str, lost: Floats, told: Floats) -> list[tuple[str, float, Verdict]]:
    """The verdicts on a book at both levels."""
    at_risk, mean = HEAD.parts(told)
    return [
        (name, level, verdict)
        for place, level in enumerate(HEAD.levels)
        for verdict in backtest(lost, at_risk[:, place], mean[:, place], level)
    ]


def _cell(value: float, low: float, high: float, sign: str = "") -> str:
    return f"{value:{sign}.4f} [{low:{sign}.4f}, {high:{sign}.4f}]"


def main(
    data: Annotated[Path, typer.Argument(help="holds sp500_daily")],
    stocks: Annotated[int, STOCKS] = 60,
) -> None:
    """Print the scores of all forecasters on the same rows, and the tests of a book of a day."""
    panel, console = panel_of(bars_of(data, stocks)), Console(width=130)
    features = evaluate(panel, [FEATURES.get(name) for name in LEARNT], dtype=np.float32)
    for name in TARGETS:
        label = target(name).label
        samples = samples_of(panel, features, label, BEHIND)
        folds = WalkForward().split(samples)
        said = answered(samples, folds)
        console.print(shown(evidence_of(said, samples, folds, label.horizon), name))
        if label.horizon > 1:
            continue  # overlapping losses are no independent ones
        table = Table("book by", "level", "test", "statistic", "p", "power", title=f"{name}, book")
        for who, pairs in said.items():
            for _, level, one in tested(who, *book_of(pairs, samples, folds)):
                numbers = (f"{x:.3f}" for x in (one.statistic, one.p_value, one.power))
                table.add_row(who, f"{level:.0%}", one.test, *numbers)
        console.print(table)


if __name__ == "__main__":
    typer.run(main)
