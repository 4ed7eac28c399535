"""A year of weekly contests, held through `decide`: luck seldom takes office, a real gain does."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from contest_years import FIRST, WEEK, WEEKS, Setting, contests, curve, year

from training.evidence.decision import Rules

NOISE = {
    "class prior, challengers of their own": Setting(0.0, 0.0),
    "class prior, challengers that are nearly one": Setting(0.0, 0.98),
    "noisy incumbent, whose noise is in every gain": Setting(0.0, 0.9, True),
}
SHORT = replace(NOISE["class prior, challengers of their own"], first=120)


def test_a_few_years_of_noise_put_hardly_anybody_into_office() -> None:
    # One in twenty of 12 is 0.6; four or more come once in 450 times.
    assert curve(SHORT, 12)[-1] * 12 < 4


def test_a_year_that_knows_of_no_contest_before_would_be_lost_to_luck() -> None:
    forgetful = Rules(yearly=0.999, at_once=0.999)
    assert curve(SHORT, 12, forgetful)[-1] > 0.3


def test_challengers_have_in_common_what_they_are_said_to() -> None:
    setting = Setting(0.001, 0.5, first=2000, noise=0.02)
    weeks = list(contests(setting, 1))
    assert len(weeks) == WEEKS and {len(gains) for gains in weeks} == {2000}
    same = weeks[0][WEEK:], weeks[1][:-WEEK]
    assert np.corrcoef(*same)[0, 1] == pytest.approx(0.5, abs=0.05)
    assert weeks[0].std() == pytest.approx(0.02, rel=0.05)
    noisy = list(contests(replace(setting, noisy_champion=True), 1))
    assert noisy[0].std() == pytest.approx(0.02, rel=0.05)
    assert np.mean(noisy) == pytest.approx(0.001, abs=0.001)


def test_a_great_gain_takes_office_at_once() -> None:
    assert year(Setting(0.02), 1, Rules()) == 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NOISE)
def test_at_most_one_year_in_twenty_puts_noise_into_office(name: str) -> None:
    share = curve(NOISE[name], 200)[-1]
    print(f"{name}: {share:.1%}")
    # Of 200 years 10 are allowed, their deviation is 3.
    assert share <= 16 / 200


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_planted_gain_takes_office_within_half_a_year() -> None:
    found = curve(Setting(0.004), 200)
    print(f"contests of {FIRST} sessions: {found[25]:.1%} within 26 weeks, {found[0]:.1%} at once")
    assert found[25] >= 0.78
