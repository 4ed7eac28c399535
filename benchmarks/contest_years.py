"""How often a year of weekly contests puts noise into office, and how soon a real gain.

    python benchmarks/contest_years.py [--years 2000] [--picture docs/images/contest_years.png]

A session's mean gain is made of what challengers have in common (`correlation` of any two), what
each has of its own, and the planted gain. Champions: the class prior, whose losses do not move
with the challengers', and an incumbent that is such a challenger itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from contracts.champion import PROMOTED
from training.evidence.decision import Comparison, Decision, Parties, Rules, decide
from training.forecast import Floats
from training.objectives.trend import Trend

# Of the demo's challenger on the simulated market, per session (docs/training.md).
NOISE = 0.032
FIRST, WEEK, WEEKS = 440, 5, 52
SHOWN = (1, 4, 13, 26, 52)


@dataclass(frozen=True)
class Setting:
    """What a simulated year is made of; gain: nats per session in favour of all challengers."""

    gain: float = 0.0
    correlation: float = 0.9
    noisy_champion: bool = False
    first: int = FIRST
    noise: float = NOISE


def year(setting: Setting, seed: int, rules: Rules) -> int | None:
    """The week of the first promotion, counted from 1, None without one."""
    earlier: list[Decision] = []
    for week, gains in enumerate(contests(setting, seed), start=1):
        sessions = len(gains)
        days = np.arange(WEEK * week, WEEK * week + sessions).astype("datetime64[D]")
        parties = Parties("simulated", "trend_1", f"challenger {week}", "champion", week)
        compared = Comparison(Trend.judged[0], -gains, np.zeros(sessions), days)
        found = decide(parties, compared, rules, earlier)
        if found.outcome == PROMOTED:
            return week
        earlier.append(found)
    return None


def contests(setting: Setting, seed: int) -> Iterator[Floats]:
    """The gains of each week's challenger on the newest `first` sessions."""
    random = np.random.default_rng(seed)
    length = setting.first + WEEK * WEEKS
    together, own = np.sqrt(setting.correlation), np.sqrt(1 - setting.correlation)
    common = together * random.normal(size=length)
    incumbent = common + own * random.normal(size=length)
    for week in range(WEEKS):
        losses = common + own * random.normal(size=length)
        gains = (incumbent if setting.noisy_champion else 0.0) - losses
        scale = np.sqrt(2) * own if setting.noisy_champion else 1.0
        whole = setting.gain + setting.noise * gains / scale
        yield whole[WEEK * week : WEEK * week + setting.first]


def curve(setting: Setting, years: int, rules: Rules | None = None, seed: int = 0) -> Floats:
    """The share of years with a promotion up to each week, (WEEKS,); `seed`: of the first year."""
    weeks = [year(setting, seed + each, rules or Rules()) for each in range(years)]
    return np.array(
        [np.mean([w is not None and w <= n for w in weeks]) for n in range(1, WEEKS + 1)]
    )


def lines() -> Iterator[tuple[str, str, Setting]]:
    """Both tables of docs/training.md: table, what a line is of, its setting."""
    for correlation in (0.0, 0.5, 0.9, 0.98):
        yield "noise", f"class prior, challengers {correlation:g}", Setting(0.0, correlation)
    # Its own noise is in every gain: what challengers have in common besides cancels.
    yield "noise", "a noisy incumbent", Setting(0.0, 0.9, True)
    for first in (FIRST, 250, 120):
        for gain in (0.002, 0.004, 0.008):
            yield "gain", f"{first} sessions, {gain:g} nats", Setting(gain, first=first)


def main(
    years: Annotated[int, typer.Option(help="simulated years of each line")] = 400,
    seed: Annotated[int, typer.Option(help="seed of each line's first year")] = 10_000,
    picture: Annotated[Path | None, typer.Option(help="a file for the curves")] = None,
) -> None:
    """Print the lines of both tables in docs/training.md as they come, and draw them."""
    typer.echo(f"share of {years} years with a promotion up to week {SHOWN}")
    found = []
    for table, name, setting in lines():
        shares = curve(setting, years, seed=seed)
        typer.echo(f"{table}: {name}: " + ", ".join(f"{shares[w - 1]:.1%}" for w in SHOWN))
        found.append((table, name, shares))
    if picture is not None:
        draw(found, picture)


def draw(found: list[tuple[str, str, Floats]], picture: Path) -> None:
    """Both tables' curves beside each other, with the bounds that are promised."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    tables = {"noise": ("noise takes office", 0.05), "gain": ("a real gain takes office", 0.8)}
    for axes, (table, (title, bound)) in zip(figure.subplots(1, 2), tables.items(), strict=True):
        for name, shares in ((n, s) for t, n, s in found if t == table):
            axes.step(np.arange(1, WEEKS + 1), 100 * shares, where="post", label=name)
        axes.axhline(100 * bound, color="grey", linestyle=":", label="promised")
        axes.set(title=title, xlabel="weekly contests", ylabel="% of years", ylim=(0, None))
        axes.legend(fontsize=7)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    typer.run(main)
