"""No training row knows what the first test decision could not know."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.bundle.history import History
from training.samples.folds import ShuffledTime, WalkForward
from training.samples.samples import Samples, TrainingError


def made(sessions: int, instruments: int, delays: list[int]) -> Samples:
    """Row i settles delays[i % len] days after its session."""
    day = np.repeat(np.arange(sessions), instruments)
    n = len(day)
    names = np.tile([f"SIM{j}" for j in range(instruments)], sessions)
    as_of = np.datetime64("2024-01-01T21", "us") + day * np.timedelta64(1, "D")
    wait = np.resize(delays, n) * np.timedelta64(1, "D")
    return Samples(
        features=("a",),
        instruments=names,
        sessions=as_of.astype("datetime64[D]"),
        as_of=as_of,
        settled_at=as_of + wait,
        history=History(np.zeros((n, 1), np.float32), as_of, np.zeros(n, np.intp)),
        rows=np.arange(n),
        truth=np.zeros(n, np.int64),
        ambiguous=np.zeros(n, bool),
        beside={},
    )


@settings(max_examples=60, deadline=None)
@given(
    sessions=st.integers(40, 120),
    instruments=st.integers(1, 4),
    delays=st.lists(st.integers(1, 15), min_size=1, max_size=7),
    count=st.integers(1, 6),
    embargo=st.integers(0, 10),
)
def test_training_ends_before_testing_begins(
    sessions: int, instruments: int, delays: list[int], count: int, embargo: int
) -> None:
    samples = made(sessions, instruments, delays)
    folds = WalkForward(count=count, warm_up=0.4, embargo=embargo).split(samples)
    assert len(folds) == count
    tested = np.concatenate([f.test for f in folds])
    assert (np.diff(tested) == 1).all() and tested[-1] == len(samples) - 1
    for fold in folds:
        begins = samples.as_of[fold.test].min()
        assert (samples.settled_at[fold.train] <= begins).all()
        gap = np.timedelta64(embargo, "D")
        assert (samples.sessions[fold.train] + gap < samples.sessions[fold.test].min()).all()
        # Nothing that may be known is given away.
        usable = (samples.settled_at <= begins) & (
            samples.sessions + gap < samples.sessions[fold.test].min()
        )
        assert usable.sum() == len(fold.train)


def test_a_shuffled_split_raises(samples: Samples) -> None:
    mixed = samples.take(np.random.default_rng(0).permutation(len(samples)))
    with pytest.raises(ShuffledTime, match="train on the future"):
        WalkForward().split(mixed)


def test_too_few_sessions_are_named() -> None:
    with pytest.raises(TrainingError, match="found 4"):
        WalkForward(count=4).split(made(4, 2, [1]))
