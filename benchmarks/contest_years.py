"""How often a year of weekly contests puts noise into office, and how soon a real gain.

    python benchmarks/contest_years.py [--years 400]

A session's mean gain is made of what challengers have in common (`correlation` of any two), what
each has of its own, and the planted gain. Champions: the class prior, whose losses do not move
with the challengers', and an incumbent that is such a challenger itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer

from contracts.champion import PROMOTED
from training.contest import Comparison, Decision, Parties, Rules, decide
from training.forecast import Floats

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
        parties = Parties("simulated", f"challenger {week}", "champion", week)
        found = decide(parties, Comparison(-gains, np.zeros(sessions), days), rules, earlier)
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


def curve(setting: Setting, years: int, rules: Rules | None = None) -> Floats:
    """The share of years with a promotion up to each week, (WEEKS,)."""
    weeks = [year(setting, seed, rules or Rules()) for seed in range(years)]
    return np.array(
        [np.mean([w is not None and w <= n for w in weeks]) for n in range(1, WEEKS + 1)]
    )


def main(years: Annotated[int, typer.Option(help="simulated years of each line")] = 400) -> None:
    """Print the lines of both tables in docs/training.md as they come."""
    typer.echo("False office: champion, correlation, share of years up to week 1, 4, 13, 26, 52")
    for correlation in (0.0, 0.5, 0.9, 0.98):
        typer.echo(f"class prior, {correlation}: {_line(Setting(0.0, correlation), years)}")
    # Its own noise is in every gain: what challengers have in common besides cancels.
    typer.echo(f"a noisy incumbent, any: {_line(Setting(0.0, 0.9, True), years)}")
    typer.echo("A real gain: sessions of a contest, gain, share of years up to the same weeks")
    for first in (FIRST, 250, 120):
        for gain in (0.004, 0.002, 0.008):
            typer.echo(f"{first}, {gain}: {_line(Setting(gain, first=first), years)}")


def _line(setting: Setting, years: int) -> str:
    found = curve(setting, years)
    return ", ".join(f"{found[week - 1]:.1%}" for week in SHOWN)


if __name__ == "__main__":
    typer.run(main)
