"""The conformance suite: every discovered ensemble passes all of it, with each head it bears."""

import json

import numpy as np
import pytest
from answers import answers, truths
from hypothesis import given, settings
from hypothesis import strategies as st

from training.ensemble import ENSEMBLES, Ensemble
from training.forecast import Floats
from training.objective import OBJECTIVES, Objective, Truth

PAIRS = [
    (member.name, objective.name)
    for member in ENSEMBLES
    for objective in OBJECTIVES
    if isinstance(objective.head, member.heads)
]
TREND = OBJECTIVES.get("trend")


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> tuple[Ensemble, Objective]:
    name, objective = request.param
    return ENSEMBLES.get(name)(), OBJECTIVES.get(objective)


def said(objective: Objective, members: int, n: int, seed: int = 0) -> tuple[Floats, Truth]:
    found = [answers(objective.head, n, seed + 31 * i) for i in range(members)]
    return np.stack(found), truths(objective.head, n, seed)


def test_the_ensembles_are_found() -> None:
    assert {
        ("soft", "trend"),
        ("soft", "volatility"),
        ("soft", "signal"),
        ("weighted", "trend"),
    } <= set(PAIRS)


@pytest.mark.parametrize(("name", "of"), PAIRS)
@settings(max_examples=25, deadline=None)
@given(members=st.integers(1, 5), n=st.integers(0, 60), seed=st.integers(0, 1000))
def test_the_answer_is_a_forecast(name: str, of: str, members: int, n: int, seed: int) -> None:
    ensemble, objective = ENSEMBLES.get(name)(), OBJECTIVES.get(of)
    chances, truth = said(objective, members, n, seed)
    # Parameters are plain JSON: they are read back before they are used.
    parameters = json.loads(json.dumps(ensemble.fit(objective, chances, truth)))
    fresh, _ = said(objective, members, 40, seed + 1)
    joined = ensemble.combine(parameters, fresh)
    assert len(joined) == 40
    objective.head.require(joined)


def test_the_order_of_the_members_does_not_matter(pair: tuple[Ensemble, Objective]) -> None:
    ensemble, objective = pair
    chances, truth = said(objective, 4, 200)
    order = np.array([2, 0, 3, 1])
    fresh, _ = said(objective, 4, 50, seed=1)
    straight = ensemble.combine(ensemble.fit(objective, chances, truth), fresh)
    mixed = ensemble.combine(ensemble.fit(objective, chances[order], truth), fresh[order])
    assert mixed == pytest.approx(straight, abs=1e-9)


def test_members_of_one_mind_are_not_contradicted(pair: tuple[Ensemble, Objective]) -> None:
    ensemble, objective = pair
    one, truth = said(objective, 1, 100)
    same = np.repeat(one, 3, axis=0)
    joined = ensemble.combine(ensemble.fit(objective, same, truth), same)
    assert joined == pytest.approx(one[0], abs=1e-9)


def test_nothing_known_yet_weighs_all_alike(pair: tuple[Ensemble, Objective]) -> None:
    ensemble, objective = pair
    chances, truth = said(objective, 3, 10)
    none = ensemble.fit(objective, chances[:, :0], truth[:0])
    straight = ensemble.combine(none, chances)
    for order in ([1, 2, 0], [1, 0, 2]):
        assert ensemble.combine(none, chances[order]) == pytest.approx(straight)


def test_soft_is_the_mean() -> None:
    soft = ENSEMBLES.get("soft")()
    chances = np.array([[[0.7, 0.2, 0.1]], [[0.6, 0.3, 0.1]], [[0.5, 0.4, 0.1]]])
    assert soft.combine({}, chances)[0] == pytest.approx([0.6, 0.3, 0.1])


def test_weighted_finds_the_best_mixture() -> None:
    weighted = ENSEMBLES.get("weighted")()
    chances, truth = said(TREND, 2, 4000)
    # Every third row the first member knows; else the second one is as good as the truth.
    knows = np.arange(4000) % 3 == 0
    sure = np.eye(3)[truth] * 0.7 + 0.1
    chances[0, knows], chances[1, ~knows] = sure[knows], sure[~knows]
    [first, second] = weighted.fit(TREND, chances, truth)["weights"]
    grid = np.linspace(0.001, 0.999, 999)
    picked = chances[:, np.arange(4000), truth]
    losses = [-np.log(w * picked[0] + (1 - w) * picked[1]).mean() for w in grid]
    assert first == pytest.approx(grid[int(np.argmin(losses))], abs=2e-3)
    assert first + second == pytest.approx(1)
