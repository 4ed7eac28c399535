"""The spent level against the normal law of two looks, and against walks that are drawn."""

import numpy as np
import pytest
from scipy import stats

from training.evidence.spending import YEAR, allowed, looks_of


def bounds(looks: tuple[int, ...], yearly: float, at_once: float) -> list[float]:
    levels = [allowed(looks[: n + 1], yearly, at_once) for n in range(len(looks))]
    return list(stats.norm.isf(levels))


def test_the_first_look_spends_its_share() -> None:
    for looks in (40, 120, 1000):
        assert allowed((looks,), 0.05, 0.4) == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize(("first", "second"), [(100, 105), (120, 180), (340, 592), (40, 2000)])
def test_two_looks_have_the_level_of_the_bivariate_normal(first: int, second: int) -> None:
    edges, shared = bounds((first, second), 0.05, 0.5), np.sqrt(first / second)
    crossed = 1 - stats.multivariate_normal([0, 0], [[1, shared], [shared, 1]]).cdf(edges)
    years = (second - first) / YEAR
    spent = 0.05 * (years if years >= 1 else 0.5 + 0.5 * np.sqrt(years))
    # Of what is spent later only the part counts that had not crossed before.
    assert crossed == pytest.approx(0.025 + (spent - 0.025) * 0.975, rel=0.02)


@pytest.mark.parametrize("step", [5, 21])
def test_a_year_of_looks_spends_the_level_and_no_more(step: int) -> None:
    looks = tuple(range(120, 120 + YEAR + 1, step))
    random = np.random.default_rng(step)
    steps = random.normal(size=(20_000, len(looks))) * np.sqrt(np.diff(looks, prepend=0))
    scores = np.cumsum(steps, axis=1) / np.sqrt(looks)
    crossed = (scores >= bounds(looks, 0.05, 0.5)).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.005)


def test_years_later_each_year_spends_as_much_again() -> None:
    looks = tuple(range(100, 100 + 5 * YEAR + 1, 42))
    steps = np.random.default_rng(2).normal(size=(20_000, len(looks)))
    scores = np.cumsum(steps * np.sqrt(np.diff(looks, prepend=0)), axis=1) / np.sqrt(looks)
    crossed = (scores >= bounds(looks, 0.05, 0.5)).any(axis=1).mean()
    assert crossed == pytest.approx(1 - 0.95**5, abs=0.015)


def test_what_adds_no_session_or_too_few_is_no_look() -> None:
    assert looks_of([20, 15, 10, 0, 5, 0], 40) == (45, 50)
    assert looks_of([], 40) == () == looks_of([10], 40)
