"""Tuning the trees of a recipe on a large universe: wall time, processor time, memory.

    python benchmarks/tune_speed.py [--stocks 430] [--sessions 3780] [--features 63] [--trials 3]

The rows are made up, with an effect that trees go on finding, so that early stopping helps
little; the trials are those that `python -m training tune` would run, through Ray.
"""

import argparse
import resource
import time

import numpy as np

from training.bundle.history import History
from training.objective import OBJECTIVES
from training.recipe import recipe
from training.samples.samples import Samples
from training.steps.search import Task, Trial, search
from training.steps.tune import plan


def made(stocks: int, sessions: int, features: int, seed: int = 0) -> Samples:
    """Rows (stocks x sessions) of normal features; five of them move the class."""
    random = np.random.default_rng(seed)
    size = stocks * sessions
    names = np.repeat(np.array([f"S{i:04}" for i in range(stocks)]), sessions)
    days = np.tile(np.datetime64("2005-01-03") + np.arange(sessions), stocks)
    values = random.standard_normal((size, features)).astype(np.float32)
    effect = 0.12 * values[:, 0] + 0.1 * values[:, 1] * values[:, 2] + 0.08 * np.tanh(values[:, 3])
    drawn = effect + 0.05 * values[:, 4] + random.logistic(size=size)
    truth = np.digitize(drawn, (-0.7, 0.7)).astype(np.int64)
    rows = np.lexsort((names, days))
    as_of = days[rows].astype("datetime64[us]") + np.timedelta64(21, "h")
    return Samples(
        features=tuple(f"feature_{i}" for i in range(features)),
        history=History.of(names, days, values),
        rows=rows,
        instruments=names[rows],
        sessions=days[rows],
        as_of=as_of,
        settled_at=as_of + np.timedelta64(1, "D"),
        truth=truth[rows],
        beside={},
        ambiguous=np.zeros(size, bool),
    )


def main() -> None:
    """Print a line per fold and trial as it ends, then the whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stocks", type=int, default=430)
    parser.add_argument("--sessions", type=int, default=3780)
    parser.add_argument("--features", type=int, default=63)
    parser.add_argument("--trials", type=int, default=3)
    asked = parser.parse_args()
    samples = made(asked.stocks, asked.sessions, asked.features)
    chosen = recipe("demo")
    began = time.perf_counter()

    def said(line: str) -> None:
        print(f"{time.perf_counter() - began:7.1f} s  {line}", flush=True)

    def finished(trial: Trial, log_loss: float) -> None:
        said(f"trial {trial.index + 1} ended: log loss {log_loss:.5f}")

    task = Task(samples, chosen.cut, OBJECTIVES.get(chosen.objective))
    search(plan(chosen, asked.trials), task, finished, said)
    said(f"{len(samples)} rows, {asked.features} features, {asked.trials} trials")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"largest process of Ray: {peak / 2**20:.1f} GiB")


if __name__ == "__main__":
    main()
