"""Whether prices turn at levels, and how well a touch is foretold, on real stocks.

    python benchmarks/levels_quality.py <folder of data sets>/sp500_daily [--stocks 60]

Daily bars of survivors, 2005 to 2019, as in benchmarks/volatility_quality.py. A level that lay at
least one average range from the close of a session and is touched within the next five bounces
when the price comes HEIGHT ranges back from it before it comes as far beyond, within DAYS sessions
from the one after the touch on; a bar that does both, and a price that does neither, do not count.
A placebo is a level SHIFTED by 0.5 to 1.5 ranges either way, as far from the close as levels are:
both rates are compared within bins of distance (Osler 2000, "Support for resistance"), and so is
the error of a level: how many average ranges beyond it the price came before it turned, up to the
fifth session. On prices whose days are permuted no level means anything. Intervals are over
sessions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from settled import samples_of
from sp500 import STOCKS, bars_of, panel_of

from features.engine import evaluate
from features.feature import FEATURES
from features.panel.kernels import compiled
from features.panel.panel import Panel
from features.target import target
from training.ensemble import ENSEMBLES
from training.evidence.evidence import Evidence, gather
from training.evidence.intervals import Estimate, estimate
from training.evidence.walk import Learner, walk, walk_together
from training.expert import EXPERTS
from training.forecast import Floats
from training.objectives.levels import Levels
from training.recipe import recipe
from training.samples.folds import WalkForward
from training.samples.samples import Samples

TARGET, EXPERT_NAMES = "levels_5", ("barrier", "barrier_trees")
LEARNT = recipe("demo_levels").features
# Rows of a stock that are left to look back on: a quarter.
BEHIND = 67
REACH, DAYS, HEIGHT = 5, 10, 1.5
FAR, WIDE, BINS = 1.0, 3.0, 8
SHIFTED = (0.5, 1.5)

Whole: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Turns:
    """Levels that were touched: the session of the touch, the distance in ranges when they were
    named, whether the price bounced, and how many ranges beyond them it came (n,)."""

    sessions: NDArray[np.datetime64]
    away: Floats
    bounced: NDArray[np.bool_]
    beyond: Floats


def turns(panel: Panel, placebo: bool, seed: int = 0) -> Turns:
    """What became of the levels of both sides, or of as many placebo levels."""
    names = [f"{side}_{what}_60" for side in SIDES for what in ("distance", "away", "kind")]
    found = evaluate(panel, [FEATURES.get(name) for name in names])
    return _joined([_of_side(panel, found, side, (placebo, seed)) for side in SIDES])


SIDES = {"support": 1.0, "resistance": -1.0}


def _of_side(panel: Panel, found: dict[str, Floats], side: str, drawn: tuple[bool, int]) -> Turns:
    sign, close = SIDES[side], panel.columns["close"]
    away, kind = found[f"{side}_away_60"], found[f"{side}_kind_60"]
    ranges = sign * close * (1 - np.exp(-sign * found[f"{side}_distance_60"])) / away
    if drawn[0]:
        random = np.random.default_rng([drawn[1], int(sign > 0)])
        shift = random.uniform(*SHIFTED, len(away)) * random.choice([-1.0, 1.0], len(away))
        away = away + shift
    counted = (kind > 0) & (away >= FAR) & (away <= WIDE)
    level = np.where(counted, close - sign * away * ranges, np.nan)
    bars = np.stack([panel.columns[name] for name in ("high", "low", "close")])
    ends = panel.offsets[1:][panel.segment]
    touched, bounced = np.full(len(away), -1), np.full(len(away), -1)
    beyond = np.zeros(len(away))
    _walk(bars, ends, (level, ranges, sign), (touched, bounced), beyond)
    # Each session's level counts, also where that of the session before is touched by the same bar:
    # to choose among them would choose otherwise among levels that stay than among placebos.
    rows = np.flatnonzero(bounced >= 0)
    return Turns(panel.session[touched[rows]], away[rows], bounced[rows] == 1, beyond[rows])


@compiled
def _walk(
    bars: Floats,
    ends: Whole,
    named: tuple[Floats, Floats, float],
    out: tuple[Whole, Whole],
    beyond: Floats,
) -> None:
    (level, ranges, sign), (touched, bounced) = named, out
    for i in range(bars.shape[1]):
        if np.isnan(level[i]):
            continue
        for u in range(i + 1, min(i + 1 + REACH, ends[i])):
            reached = bars[1, u] <= level[i] if sign > 0 else bars[0, u] >= level[i]
            if not reached:
                continue
            touched[i] = u
            for v in range(u, min(i + 1 + REACH, ends[i])):
                end = bars[1, v] if sign > 0 else bars[0, v]
                beyond[i] = max(beyond[i], sign * (level[i] - end) / ranges[i])
            for v in range(u + 1, min(u + 1 + DAYS, ends[i])):
                up = bars[0, v] >= level[i] + HEIGHT * ranges[i]
                down = bars[1, v] <= level[i] - HEIGHT * ranges[i]
                if up or down:
                    if up != down:
                        bounced[i] = up if sign > 0 else down
                    break
            break


def _joined(parts: Sequence[Turns]) -> Turns:
    names = ("sessions", "away", "bounced", "beyond")
    return Turns(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class Bounces:
    """The means at levels and at placebos weighted alike, and what levels add to them."""

    levels: float
    placebos: float
    n: int
    n_placebos: int
    gain: Estimate


def bounces(own: Turns, other: Turns, what: str = "bounced") -> Bounces:
    """Rates within bins of distance, each with the weight that it has among the levels.

    what: the field whose means are compared: `bounced`, or `beyond`, the error of levels.
    """
    days = np.unique(np.concatenate([own.sessions, other.sessions]))
    tables = [_table(part, days, getattr(part, what)) for part in (own, other)]
    totals = [table.sum(axis=0) for table in tables]
    left = [total - table for total, table in zip(totals, tables, strict=True)]
    [value], whole, placebos = _apart([total[None] for total in totals])
    # Labels of up to REACH + DAYS sessions overlap.
    gain = estimate(float(value), _apart(left)[0], REACH + DAYS)
    return Bounces(float(whole[0]), float(placebos[0]), len(own.away), len(other.away), gain)


def _table(part: Turns, days: NDArray[np.datetime64], came: NDArray[Any]) -> Floats:
    """Touches and sums of what came by session and bin, (sessions, BINS, 2)."""
    place = np.searchsorted(days, part.sessions)
    cell = np.clip((part.away - FAR) / (WIDE - FAR) * BINS, 0, BINS - 1).astype(int)
    found = np.zeros((len(days), BINS, 2))
    np.add.at(found, (place, cell), np.stack([np.ones(len(place)), came], axis=1))
    return found


def _apart(tables: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
    weights = tables[0][..., 0] / tables[0][..., 0].sum(axis=1, keepdims=True)
    rates = [(t[..., 1] / np.maximum(t[..., 0], 1.0) * weights).sum(axis=1) for t in tables]
    return rates[0] - rates[1], rates[0], rates[1]


def permuted(panel: Panel, seed: int = 0) -> Panel:
    """The panel with the days of each instrument in another order: moves stay, memory goes."""
    random, columns = np.random.default_rng(seed), dict(panel.columns)
    close = panel.columns["close"]
    made = {name: panel.columns[name].copy() for name in ("open", "high", "low", "close", "volume")}
    for first, end in zip(panel.offsets[:-1], panel.offsets[1:], strict=True):
        order = first + 1 + random.permutation(end - first - 1)
        moves = np.cumprod(close[order] / close[order - 1]) * close[first]
        before = np.concatenate([close[first : first + 1], moves[:-1]])
        for name in ("open", "high", "low"):
            made[name][first + 1 : end] = panel.columns[name][order] / close[order - 1] * before
        made["close"][first + 1 : end] = moves
        made["volume"][first + 1 : end] = panel.columns["volume"][order]
    return replace(panel, columns={**columns, **made, "dividend": np.zeros(len(close))})


def evidence_of(samples: Samples) -> Evidence:
    """The soft vote's evidence beside its experts and the objective's baselines."""
    levels, folds = Levels(), WalkForward().split(samples)
    walks = {n: walk(Learner(EXPERTS.get(n)(), levels), samples, folds) for n in EXPERT_NAMES}
    said = [one.forecasts for one in walks.values()]
    walks["soft"] = walk_together(ENSEMBLES.get("soft")(), said, samples, folds)
    return gather(walks, samples, folds, target(TARGET).label.horizon)["soft"]


def shown(found: Evidence) -> Table:
    """Scores with intervals, and by how much each is worse than the soft vote."""
    title = (
        f"{TARGET}: {found.n:,} rows of {found.sessions} sessions, {found.first} to {found.last}"
    )
    table = Table("forecaster", "Brier of touch", "log loss", "Brier over soft's", title=title)
    for name, scores in found.scores.items():
        cells = [f"{x.value:.4f} [{x.low:.4f}, {x.high:.4f}]" for x in scores.values()]
        apart = found.beside[name]["touch_brier"] if name in found.beside else None
        # `beside` is the soft vote's minus the other's.
        worse = f"{-apart.value:+.4f} [{-apart.high:+.4f}, {-apart.low:+.4f}]" if apart else ""
        table.add_row(name, *cells, worse)
    return table


def compared(panel: Panel) -> Iterator[tuple[str, Bounces, Bounces]]:
    """Bounces and errors on the panel as it is, and on its days permuted."""
    for name, one in (("as they were", panel), ("days permuted", permuted(panel))):
        both = turns(one, placebo=False), turns(one, placebo=True)
        yield name, bounces(*both), bounces(*both, what="beyond")


def main(
    data: Annotated[Path, typer.Argument(help="the folder sp500_daily")],
    stocks: Annotated[int, STOCKS] = 60,
) -> None:
    """Print bounces beside placebos, and the scores of all forecasters on the same rows."""
    panel = panel_of(bars_of(data.resolve().parent, stocks))
    table = Table("prices", "levels", "placebo levels", "levels less placebos, points")
    errors = Table("prices", "error at levels", "at placebo levels", "less placebos, ranges")
    for name, one, error in compared(panel):
        low, high = error.gain.interval()
        gain = f"{error.gain.value:+.4f} [{low:+.4f}, {high:+.4f}]"
        errors.add_row(name, f"{error.levels:.4f}", f"{error.placebos:.4f}", gain)
        low, high = one.gain.interval()
        cells = (f"{rate:.1%} (n {n:,})" for rate, n in _rates(one))
        gain = f"{100 * one.gain.value:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"
        table.add_row(name, *cells, gain)
    Console(width=130).print(table, errors)
    features = evaluate(panel, [FEATURES.get(name) for name in LEARNT], dtype=np.float32)
    samples = samples_of(panel, features, target(TARGET).label, BEHIND)
    typer.echo(f"{len(panel.instruments)} survivors, {len(samples):,} rows to learn from and ask")
    Console(width=130).print(shown(evidence_of(samples)))


def _rates(one: Bounces) -> Iterator[tuple[float, int]]:
    yield one.levels, one.n
    yield one.placebos, one.n_placebos


if __name__ == "__main__":
    typer.run(main)
