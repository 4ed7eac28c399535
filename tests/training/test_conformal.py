"""Conformal shifts, by order statistics."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from training.conformal import shifts
from training.forecast import Quantiles
from training.objectives.return_ import LEVELS


@given(n=st.integers(1, 300), seed=st.integers(0, 10**6))
def test_shifts_are_order_statistics(n: int, seed: int) -> None:
    truth = np.random.default_rng(seed).normal(size=n)
    found = shifts(truth, np.zeros((n, 9)), Quantiles(LEVELS))
    ordered = np.sort(truth)
    for level, shift in zip(LEVELS, found, strict=True):
        # The k-th of n is above the next truth with probability k / (n + 1).
        rank = level * (n + 1)
        place = np.floor(rank + 1e-9) if level < 0.5 else np.ceil(rank - 1e-9)
        wanted = ordered[int(np.clip(place, 1, n)) - 1]
        assert shift == approx(wanted)


def test_each_quantile_is_moved_by_what_was_said_of_it() -> None:
    random = np.random.default_rng(0)
    truth, said = random.normal(size=99), random.normal(size=(99, 3))
    head = Quantiles((0.1, 0.5, 0.9))
    found = shifts(truth, said, head)
    # Of 99 the tenth, fiftieth and ninetieth: the shares of a hundred are met exactly.
    for place, rank in enumerate((10, 50, 90)):
        assert found[place] == approx(np.sort(truth - said[:, place])[rank - 1])
