"""Tests of values at risk hold what is right, find what is planted, and say how often they do."""

import numpy as np
import pytest
from scipy.stats import chi2, norm

from training.evidence.backtest import CLUSTERED, LARGER, Verdict, backtest, shortfall

LEVEL = 0.95
VALUE = norm.ppf(LEVEL)
MEAN = norm.pdf(VALUE) / (1 - LEVEL)


def verdicts(lost: np.ndarray, level: float = LEVEL) -> dict[str, Verdict]:
    value = norm.ppf(level)
    mean = norm.pdf(value) / (1 - level)
    n = len(lost)
    return {v.test: v for v in backtest(lost, np.full(n, value), np.full(n, mean), level)}


@pytest.mark.slow
def test_what_is_right_is_refused_as_seldom_as_said() -> None:
    refused = np.zeros(3)
    for seed in range(60):
        found = verdicts(np.random.default_rng(seed).normal(size=300))
        refused += [not one.holds for one in found.values()]
    assert (refused <= 8).all()  # 3 are expected of 60; more than 8 come once in 300


def test_kupiec_is_the_ratio_of_likelihoods() -> None:
    lost = np.zeros(250)
    lost[::10] = 10.0  # 25 of 250 in place of 12.5
    rate = 25 / 250
    ratio = 2 * (25 * np.log(rate / 0.05) + 225 * np.log((1 - rate) / 0.95))
    found = verdicts(lost)["kupiec"]
    assert found.statistic == 25 and found.p_value == pytest.approx(chi2.sf(ratio, 1))


def test_larger_losses_are_found_by_kupiec_and_z2() -> None:
    found = verdicts(1.3 * np.random.default_rng(0).normal(size=1000))
    assert not found["kupiec"].holds and not found["acerbi_szekely_z2"].holds
    assert found["acerbi_szekely_z2"].statistic > 0.3


def test_larger_shortfalls_alone_are_found_by_z2() -> None:
    lost = np.random.default_rng(1).normal(size=2000)
    lost = np.where(lost > VALUE, VALUE + 2.5 * (lost - VALUE), lost)
    found = verdicts(lost)
    assert found["kupiec"].holds and not found["acerbi_szekely_z2"].holds


def test_clusters_are_found_by_durations() -> None:
    hit = np.zeros(2000, bool)
    random, before = np.random.default_rng(2), False
    for i in range(len(hit)):
        before = random.random() < (0.4 if before else 0.0316)
        hit[i] = before
    found = verdicts(np.where(hit, VALUE + 0.4, 0.0))
    assert not found["christoffersen"].holds and found["christoffersen"].statistic < 1


@pytest.mark.slow
def test_power_grows_with_the_sessions_and_is_what_happens() -> None:
    few, many = (verdicts(np.random.default_rng(3).normal(size=n)) for n in (120, 600))
    for name in few:
        assert few[name].power < many[name].power, name
    # Z2: of losses of its own law, that much larger.
    random, refused = np.random.default_rng(4), 0
    at_risk, mean = np.full(120, VALUE), np.full(120, MEAN)
    for _ in range(100):
        beyond = random.exponential(size=120) + np.log(1 - LEVEL)
        lost = LARGER * (VALUE + (MEAN - VALUE) * beyond)
        refused += not shortfall(lost, at_risk, mean, LEVEL).holds
    assert refused / 100 == pytest.approx(few["acerbi_szekely_z2"].power, abs=0.15)


def test_too_few_violations_say_nothing() -> None:
    found = verdicts(np.zeros(40))
    assert np.isnan(found["christoffersen"].p_value) and found["christoffersen"].holds
    assert found["acerbi_szekely_z2"].statistic == -1 and 0 < CLUSTERED < 1
