"""The conformance suite: what every drift test must do, whoever wrote it."""

import numpy as np
import pytest
from scipy import stats

from monitoring.drift.ks import ks
from monitoring.drift.psi import psi
from monitoring.drift_test import DRIFT_TESTS, DriftTest, NothingToCompare

N = 4_000


def normal(seed: int, n: int = N, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, n)


def with_nulls(values: np.ndarray, share: float) -> np.ndarray:
    out = values.copy()
    out[: int(share * len(out))] = np.nan
    return out


@pytest.fixture(params=DRIFT_TESTS.names())
def test(request: pytest.FixtureRequest) -> DriftTest:
    return DRIFT_TESTS.get(request.param)


def test_identity_scores_nothing(test: DriftTest) -> None:
    assert abs(test.score(normal(1), normal(1))) < 1e-9


@pytest.mark.parametrize("seed", range(20))
def test_noise_stays_below_the_threshold(test: DriftTest, seed: int) -> None:
    assert test.score(normal(seed), normal(seed + 100, 400)) < test.threshold


@pytest.mark.parametrize("shift", [-1.0, 1.0])
def test_a_shift_by_a_deviation_is_an_alarm(test: DriftTest, shift: float) -> None:
    assert test.score(normal(1), normal(2, 800, shift)) > test.threshold


def test_a_wider_spread_is_an_alarm(test: DriftTest) -> None:
    assert test.score(normal(1), 3 * normal(2, 800)) > test.threshold


@pytest.mark.parametrize(("rows", "now"), [(0, 0), (0, 5), (5, 0)])
def test_an_empty_side_is_an_error_that_names_it(test: DriftTest, rows: int, now: int) -> None:
    with pytest.raises(NothingToCompare, match=f"{test.name}: .* found {rows} .* and {now} now"):
        test.score(normal(1, rows), normal(2, now))


def test_nulls_alone_are_a_distribution(test: DriftTest) -> None:
    nothing = np.full(5, np.nan)
    assert test.score(nothing, nothing) == 0.0
    assert test.score(normal(1), nothing) > test.threshold


def test_a_larger_shift_scores_more(test: DriftTest) -> None:
    scores = [test.score(normal(1), normal(2, 800, shift)) for shift in (0.0, 0.5, 1.0, 2.0)]
    assert scores == sorted(scores)


@pytest.mark.parametrize("scale", [0.01, 100.0, 1e6])
def test_the_unit_of_the_values_changes_nothing(test: DriftTest, scale: float) -> None:
    one = test.score(normal(1), normal(2, 800, 0.3))
    assert test.score(scale * normal(1), scale * normal(2, 800, 0.3)) == pytest.approx(one)


def test_nulls_are_no_values_but_more_of_them_are_an_alarm(test: DriftTest) -> None:
    reference = with_nulls(normal(1), 0.2)
    assert test.score(reference, with_nulls(normal(2, 800), 0.2)) < test.threshold
    assert test.score(reference, with_nulls(normal(2, 800), 0.8)) > test.threshold


def test_nothing_but_nulls_on_both_sides_scores_nothing(test: DriftTest) -> None:
    nothing = np.full(100, np.nan)
    assert test.score(nothing, nothing) == pytest.approx(0)
    assert test.score(nothing, normal(1)) > test.threshold


@pytest.mark.parametrize("moved", [-0.1, 0.1])
def test_a_constant_that_moves_either_way_is_an_alarm(test: DriftTest, moved: float) -> None:
    constant = np.zeros(N)
    assert test.score(constant, np.zeros(800)) < 1e-9
    assert test.score(constant, np.full(800, moved)) > test.threshold


def test_psi_of_four_bins_by_hand() -> None:
    # Ten deciles of 1..10 hold a tenth each; the current sample has 1 twice and no 10.
    reference = np.repeat(np.arange(1.0, 11.0), 100)
    current = np.repeat([1.0, *np.arange(1.0, 10.0)], 100)
    expected = (0.2 - 0.1) * np.log(0.2 / 0.1) + (1e-4 - 0.1) * np.log(1e-4 / 0.1)
    assert psi(reference, current) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("digits", [0, 1, 9])
def test_ks_is_that_of_scipy_ties_included(seed: int, digits: int) -> None:
    one, other = normal(seed).round(digits), normal(seed + 1, 500, 0.2).round(digits)
    assert ks(one, other) == pytest.approx(stats.ks_2samp(one, other).statistic, abs=1e-12)


def test_ks_of_nulls_by_hand() -> None:
    # Half of one side is null, a quarter of the other: the functions part there first.
    one = np.array([np.nan, np.nan, 1.0, 2.0])
    assert ks(one, np.array([np.nan, 1.0, 2.0, 2.0])) == pytest.approx(0.25)
