"""How often 95 % intervals of a ratio over sessions hold the truth, and how wide they are.

    python benchmarks/interval_coverage.py [--repeats 4000]

Beside ours: the percentile interval of a moving-block bootstrap with blocks of ten sessions
(Kuensch 1989), as the contest had it before, and the same standard error mended for the few
blocks (times 1 / sqrt(1 - l / n)) with Student's t of n / l - 1 degrees.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import typer

from training.evidence.intervals import ratio
from training.forecast import Floats

BLOCK = 10
PHIS = {"independent": 0.0, "phi 0.2": 0.2, "phi 0.5": 0.5}


def series(kind: str, repeats: int, sessions: int, random: np.random.Generator) -> Floats:
    """Session means without gain, (repeats, sessions): autoregressive, or with fat tails."""
    if kind == "t with 3 degrees":
        return np.asarray(random.standard_t(3, (repeats, sessions)))
    from scipy import signal

    shocks = random.normal(size=(repeats, sessions + 100))
    return np.asarray(signal.lfilter([1.0], [1.0, -PHIS[kind]], shocks, axis=1)[:, 100:])


def intervals(means: Floats, rows: Floats) -> Iterator[tuple[str, tuple[float, float]]]:
    """The interval of one ratio by each method."""
    from scipy import stats

    gains, n = means * rows, len(rows)
    yield "cosines", ratio(gains, rows).interval()
    length = min(BLOCK, n)
    random = np.random.default_rng(7)
    starts = random.integers(0, n - length + 1, (500, -(-n // length)))
    drawn = (starts[:, :, None] + np.arange(length)).reshape(500, -1)[:, :n]
    ratios = gains[drawn].sum(axis=1) / rows[drawn].sum(axis=1)
    low, high = np.quantile(ratios, (0.025, 0.975))
    yield "blocks", (float(low), float(high))
    value = gains.sum() / rows.sum()
    degrees = n / length - 1
    reach = stats.t.ppf(0.975, degrees) * ratios.std() / np.sqrt(1 - length / n)
    yield "blocks, mended", (value - reach, value + reach)


def main(repeats: Annotated[int, typer.Option(help="series of each line")] = 2000) -> None:
    """Print coverage, and mean width in standard errors of independent sessions."""
    for kind in (*PHIS, "t with 3 degrees"):
        for sessions in (40, 120, 400):
            random = np.random.default_rng(sessions)
            held: dict[str, int] = {}
            width: dict[str, float] = {}
            for means in series(kind, repeats, sessions, random):
                rows = random.integers(1, 40, sessions).astype(float)
                for name, (low, high) in intervals(means, rows):
                    held[name] = held.get(name, 0) + (low <= 0 <= high)
                    width[name] = width.get(name, 0.0) + (high - low) * np.sqrt(sessions)
            told = (f"{n} {held[n] / repeats:.1%} ({width[n] / repeats:.2f})" for n in held)
            typer.echo(f"{kind}, {sessions} sessions: {', '.join(told)}")


if __name__ == "__main__":
    typer.run(main)
