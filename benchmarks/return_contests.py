"""How often a contest for returns is won by noise, and how often by who knows a little.

    python benchmarks/return_contests.py [--markets 200] [--effect 0 --effect 0.2]

Made-up markets of 10 instruments: volatility comes and goes, shocks have fat tails and half of
their variance in common; features of which none, or one, moves the return by a share `effect` of
its deviation. The trees learn the first 400 sessions, champion zero as well, and the rules decide
on the 440 after.
"""

from typing import Annotated

import numpy as np
import typer

from contracts.champion import PROMOTED
from training.bundle.history import History
from training.evidence.decision import Parties, Rules, compare, decide
from training.evidence.walk import Learner
from training.expert import EXPERTS
from training.objectives.return_ import SCALE, Return
from training.samples.samples import Samples

INSTRUMENTS, LEARNT, CONTEST, FEATURES = 10, 400, 440, 8
FIELDS = {"rounds": 30}


def market(seed: int, effect: float) -> Samples:
    """Rows sorted by session and instrument; the first feature is the volatility known before."""
    random = np.random.default_rng(seed)
    shape = (LEARNT + CONTEST, INSTRUMENTS)
    logs = np.zeros(shape)
    for day in range(1, len(logs)):
        logs[day] = 0.97 * logs[day - 1] + 0.1 * random.normal(size=INSTRUMENTS)
    volatility = 0.015 * np.exp(logs)
    values = random.normal(size=(*shape, FEATURES)).astype(np.float32)
    values[..., 0] = volatility
    shocks = random.standard_t(5, size=shape) / np.sqrt(5 / 3)
    common = random.normal(size=(len(logs), 1))
    moved = effect * values[..., 1] + np.sqrt(0.5) * (shocks + common)
    return samples_of(values, volatility * moved)


def samples_of(values: np.ndarray, truth: np.ndarray) -> Samples:
    """Features (sessions, instruments, k) and truths as samples whose truth settles a day later."""
    sessions, instruments, width = values.shape
    days = np.datetime64("2015-01-01") + np.arange(sessions)
    names = np.repeat(np.array([f"S{i:02}" for i in range(instruments)]), sessions)
    flat = values.transpose(1, 0, 2).reshape(-1, width)
    history = History.of(names, np.tile(days, instruments), np.ascontiguousarray(flat))
    rows = np.arange(sessions * instruments).reshape(instruments, sessions).T.ravel()
    stamps = np.repeat(days, instruments)
    moments = stamps.astype("datetime64[us]") + np.timedelta64(20, "h")
    return Samples(
        features=(SCALE, *(f"noise_{i}" for i in range(1, width))),
        history=history,
        rows=rows,
        instruments=names[rows],
        sessions=stamps,
        as_of=moments,
        settled_at=moments + np.timedelta64(1, "D"),
        truth=truth.ravel(),
        ambiguous=np.zeros(len(rows), bool),
        beside={},
    )


def won(seed: int, effect: float) -> bool:
    """Whether the trees take office from champion zero."""
    samples = market(seed, effect)
    first = np.unique(samples.sessions)[LEARNT]
    train = samples.take((samples.sessions < first) & (samples.settled_at < first))
    asked = samples.take(samples.sessions >= first)
    trees, zero = (
        Learner(EXPERTS.get(name)(**fields), Return()).answer(train, asked)
        for name, fields in (("quantile_trees", FIELDS), (Return.zero, {}))
    )
    found = compare(trees, zero, asked.truth, asked.sessions)
    return decide(Parties("made_up", "return_1", "a", "b", 1), found, Rules()).outcome == PROMOTED


def main(
    markets: Annotated[int, typer.Option(min=1)] = 200,
    effect: Annotated[list[float] | None, typer.Option(help="of the return's deviation")] = None,
    seed: Annotated[int, typer.Option(help="of the first market")] = 1,
) -> None:
    """Print the share that is won for each effect."""
    for share in effect or [0.0, 0.15, 0.2, 0.25]:
        wins = sum(won(seed + i, share) for i in range(markets))
        typer.echo(f"effect {share:g}: {wins} of {markets} contests are won")


if __name__ == "__main__":
    typer.run(main)
