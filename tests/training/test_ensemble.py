"""The conformance suite: every discovered ensemble passes all of it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.ensemble import ENSEMBLES, Ensemble
from training.forecast import Floats, Labels

NAMES = ENSEMBLES.names()


@pytest.fixture(params=NAMES)
def ensemble(request: pytest.FixtureRequest) -> Ensemble:
    return ENSEMBLES.get(request.param)()


def said(members: int, n: int, seed: int = 0) -> tuple[Floats, Labels]:
    random = np.random.default_rng(seed)
    return random.dirichlet(np.ones(3), (members, n)), random.integers(0, 3, n)


def test_the_ensembles_are_found() -> None:
    assert {"soft", "weighted"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(members=st.integers(1, 5), n=st.integers(0, 60), seed=st.integers(0, 1000))
def test_the_answer_is_a_forecast(name: str, members: int, n: int, seed: int) -> None:
    ensemble = ENSEMBLES.get(name)()
    chances, labels = said(members, n, seed)
    # Parameters are plain JSON: they are read back before they are used.
    parameters = json.loads(json.dumps(ensemble.fit(chances, labels)))
    fresh, _ = said(members, 40, seed + 1)
    joined = ensemble.combine(parameters, fresh)
    assert joined.shape == (40, 3) and (joined >= 0).all()
    assert joined.sum(axis=1) == pytest.approx(1, abs=1e-9)


def test_the_order_of_the_members_does_not_matter(ensemble: Ensemble) -> None:
    chances, labels = said(4, 200)
    order = np.array([2, 0, 3, 1])
    fresh, _ = said(4, 50, seed=1)
    straight = ensemble.combine(ensemble.fit(chances, labels), fresh)
    mixed = ensemble.combine(ensemble.fit(chances[order], labels), fresh[order])
    assert mixed == pytest.approx(straight, abs=1e-9)


def test_members_of_one_mind_are_not_contradicted(ensemble: Ensemble) -> None:
    one, labels = said(1, 100)
    same = np.repeat(one, 3, axis=0)
    assert ensemble.combine(ensemble.fit(same, labels), same) == pytest.approx(one[0], abs=1e-9)


def test_nothing_known_yet_weighs_all_alike(ensemble: Ensemble) -> None:
    chances, _ = said(3, 10)
    none = ensemble.fit(chances[:, :0], np.empty(0, np.int64))
    assert ensemble.combine(none, chances) == pytest.approx(chances.mean(axis=0))


def test_soft_is_the_mean() -> None:
    soft = ENSEMBLES.get("soft")()
    chances = np.array([[[0.7, 0.2, 0.1]], [[0.6, 0.3, 0.1]], [[0.5, 0.4, 0.1]]])
    assert soft.combine({}, chances)[0] == pytest.approx([0.6, 0.3, 0.1])


def test_weighted_finds_the_best_mixture() -> None:
    weighted = ENSEMBLES.get("weighted")()
    chances, labels = said(2, 4000)
    # Every third row the first member knows; else the second one is as good as the truth.
    knows = np.arange(4000) % 3 == 0
    sure = np.eye(3)[labels] * 0.7 + 0.1
    chances[0, knows], chances[1, ~knows] = sure[knows], sure[~knows]
    [first, second] = weighted.fit(chances, labels)["weights"]
    grid = np.linspace(0.001, 0.999, 999)
    picked = chances[:, np.arange(4000), labels]
    losses = [-np.log(w * picked[0] + (1 - w) * picked[1]).mean() for w in grid]
    assert first == pytest.approx(grid[int(np.argmin(losses))], abs=2e-3)
    assert first + second == pytest.approx(1)
