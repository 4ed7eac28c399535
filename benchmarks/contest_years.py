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
FIRST, WEEK, WEEKS = 340, 5, 52
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
    """Print both tables as in docs/training.md."""
    from rich.console import Console
    from rich.table import Table

    false = Table("champion", "correlation", *(f"week {n}" for n in SHOWN), title="False office")
    for noisy in (False, True):
        for correlation in (0.0, 0.5, 0.9, 0.98):
            found = curve(Setting(0.0, correlation, noisy), years)
            name = "a noisy incumbent" if noisy else "class prior"
            false.add_row(name, str(correlation), *(f"{found[n - 1]:.1%}" for n in SHOWN))
    power = Table("gain", "first", *(f"week {n}" for n in SHOWN), title="A real gain in office")
    for first in (120, 250, FIRST):
        for gain in (0.001, 0.002, 0.004, 0.006, 0.008):
            found = curve(Setting(gain, first=first), years)
            power.add_row(f"{gain}", str(first), *(f"{found[n - 1]:.0%}" for n in SHOWN))
    for table in (false, power):
        Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
