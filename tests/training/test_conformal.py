"""Conformal shifts, by order statistics."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from tune_speed import made

from training.bundle.models.constant import Constant
from training.bundle.models.scaled import Scaled, scales
from training.conformal import Conformal, shifts
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


def test_units_follow_the_feature_all_the_way_or_a_part_of_it() -> None:
    values = np.array([0.04, np.nan, 0.0025, -1.0], np.float32)
    assert scales(values, 0.01, 1.0) == approx([0.04, 0.01, 0.0025, 0.01], rel=1e-6)
    assert scales(values, 0.01, 0.5) == approx([0.02, 0.01, 0.005, 0.01], rel=1e-6)
    assert scales(values, 0.01, 0.0) == approx([0.01] * 4)


@pytest.mark.parametrize(("power", "alike"), [(0.5, True), (1.0, False)])
def test_what_grows_by_the_root_is_covered_alike_in_units_of_the_root(
    power: float, alike: bool
) -> None:
    plain = made(stocks=20, sessions=500, features=6)
    random = np.random.default_rng(0)
    values = plain.history.values.copy()
    values[:, 0] = 0.01 * np.exp(0.7 * values[:, 0])
    samples = replace(plain, history=replace(plain.history, values=values))
    size = samples.column("feature_0")
    truth = 0.03 * np.sqrt(size / 0.01) * random.normal(size=len(samples))
    samples = samples.with_truth(truth)
    head = Quantiles(LEVELS)
    nothing = Constant(np.zeros(9), head)
    model = Conformal("feature_0", 0.5, power=power).fit(lambda _: nothing, samples, head)
    said = samples.answers(1, model.forecast)
    inside = (said[:, 0] <= truth) & (truth <= said[:, 8])
    order = np.argsort(size)
    apart = np.ptp([inside[part].mean() for part in np.array_split(order, 3)])
    assert (apart < 0.03) == alike


def test_files_that_follow_all_the_way_are_those_of_before() -> None:
    head = Quantiles(LEVELS)
    whole = Scaled(Constant(np.zeros(9), head), np.zeros(9), 0, 0.01, head)
    assert set(json.loads(whole.files()["scaled.json"])) == {"shifts", "place", "usual"}
    part = replace(whole, power=0.8)
    assert Scaled.read(part.files(), head).power == 0.8
