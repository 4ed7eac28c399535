"""One contest of any objective: luck and equals seldom win, a better model does."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from contest_markets import EQUAL, LEARNERS, Gains, held, market, share

from training.evidence.luck import sharpe
from training.objective import OBJECTIVES


@pytest.mark.parametrize("span", [1, 5, 20])
def test_gains_are_what_they_are_said_to_be(span: int) -> None:
    gains = Gains(0.3, span, sessions=40_000).drawn(1)
    assert len(gains) == 40_000 and sharpe(gains) == pytest.approx(
        0.3, abs=3 * np.sqrt(span / 40_000)
    )
    apart = [np.corrcoef(gains[:-lag], gains[lag:])[0, 1] for lag in (1, span)]
    assert apart == pytest.approx([1 - 1 / span, 0.0], abs=0.04)


@pytest.mark.parametrize("span", [1, 5, 20])
def test_luck_seldom_wins_and_a_great_gain_does(span: int) -> None:
    # One in forty is to be; six or more of sixty come once in 400 times.
    assert share(Gains(0.0, span), 60) * 60 < 6
    assert share(Gains(0.4 * np.sqrt(span), span), 20) == 1.0


@pytest.mark.parametrize("name", LEARNERS)
def test_a_few_markets_are_won_as_they_should_be(name: str) -> None:
    objective, effect = OBJECTIVES.get(name), LEARNERS[name][1]
    noise = [held(objective, objective.zero, 0.0, seed)[0] for seed in range(8)]
    equal = [held(objective, EQUAL, effect, seed) for seed in range(8)]
    better = [held(objective, objective.zero, 2 * effect, seed)[0] for seed in range(4)]
    assert sum(noise) <= 1 and sum(won for won, _ in equal) <= 2 and all(better)
    assert abs(np.mean([ratio for _, ratio in equal])) < 0.1


def test_rows_of_a_session_move_together() -> None:
    samples = market(OBJECTIVES.get("trend"), 0.0, 1)
    by_session = samples.truth.reshape(-1, 12) - 1.0
    assert by_session.mean(axis=1).var() > 1.5 * by_session.var() / 12


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", LEARNERS)
def test_the_rates_that_are_promised(name: str) -> None:
    objective, effect = OBJECTIVES.get(name), LEARNERS[name][1]
    noise = sum(held(objective, objective.zero, 0.0, seed)[0] for seed in range(200))
    equal = sum(held(objective, EQUAL, effect, seed)[0] for seed in range(100))
    better = sum(held(objective, objective.zero, effect, seed)[0] for seed in range(100))
    print(f"{name}: {noise} of 200, {equal} of 100, {better} of 100")
    assert noise <= 10 and equal <= 5 and better >= 80
