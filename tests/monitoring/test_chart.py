"""When a number per session has left its past: exactly, and how often by chance."""

from collections.abc import Callable

import numpy as np
import pytest

from monitoring.watch import chart as charts
from monitoring.watch.chart import ALARMED, FURTHEST, LEAST, SEVERE, YEAR, Chart, chart

Series = Callable[[np.random.Generator, int], np.ndarray]


def noise(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def charted(values: np.ndarray, before: int, both: bool = False, overlap: int = 1) -> Chart:
    found = chart(values, before, overlap, both=both, seed=7)
    assert found is not None
    return found


def test_the_sum_is_pages_of_what_is_beyond_the_allowed() -> None:
    past = np.tile([-1.0, 1.0, 1.0, -1.0], 50)  # no memory that is worth the name, mean 0, size 1
    values = np.append(past, [3.0, 0.0, -4.0, 2.0, 2.0])
    allowed = charts._Past.of(past, 1).allowed
    scaled = charts._scaled(values[None], len(past))[0]
    expected, held = [], 0.0
    for each in scaled:
        held = max(0.0, held + each - allowed)
        expected.append(held)
    found = charted(values, len(past))
    assert found.numbers == pytest.approx(expected) and found.number == expected[-1]
    assert found.began == 3, "after the last session at which it stood at zero"


def test_a_number_is_told_in_deviations_of_its_past_and_a_storm_hides_what_it_shakes() -> None:
    values = np.concatenate([noise(300), [4.0], noise(60, 2), 6.0 * noise(40, 3), [4.0]])
    calm, storm = charts._scaled(values[None], 300)[0][[0, -1]]
    assert calm == pytest.approx((4.0 - values[:300].mean()) / values[:300].std(), rel=0.2)
    assert storm < calm / 3


@pytest.mark.parametrize("shift", [-2.0, 2.0])
def test_of_two_sides_a_fall_is_as_much_of_a_change_as_a_rise(shift: float) -> None:
    values = np.append(noise(250), noise(40, 2) + shift)
    assert charted(values, 250, both=True).number > charted(values, 250, both=True).severe
    assert (charted(values, 250).number > 0) == (shift > 0)


def test_it_comes_down_again_when_what_was_is_again() -> None:
    values = np.concatenate([noise(250), noise(80, 2) + 3.0, noise(200, 3)])
    found = charted(values, 250)
    assert found.numbers.max() == 2 * found.severe and found.number < found.threshold


def test_one_session_decides_nothing_and_many_of_a_dull_past_do() -> None:
    dull = np.full(100, 0.37)
    found = charted(np.append(dull, [0.37, 1e6]), 100)
    assert 0 < found.number < found.threshold and found.threshold >= FURTHEST
    assert charted(np.append(dull, np.full(5, 0.38)), 100).number > found.severe
    assert charted(np.append(dull, np.full(200, 0.37)), 100).number == 0.0


def test_a_short_past_says_nothing_and_one_without_a_future_stands_at_zero() -> None:
    assert chart(noise(LEAST + 9), LEAST - 1, 1, both=False, seed=1) is None
    assert chart(noise(LEAST - 1), LEAST, 1, both=False, seed=1) is None
    found = charted(noise(LEAST), LEAST)
    assert (found.number, found.began, len(found.numbers)) == (0.0, None, 0)
    assert found.threshold < found.severe


def test_limits_are_those_of_the_past_alone_and_the_same_whenever_they_are_asked() -> None:
    early, late = charted(noise(300)[:201], 200), charted(noise(300), 200)
    assert (early.threshold, early.severe) == (late.threshold, late.severe)
    # The same in any unit.
    moved = charted(1e3 + 1e-4 * noise(300), 200)
    assert moved.number == pytest.approx(late.number, rel=1e-3)


def garch(draw: np.random.Generator, n: int) -> np.ndarray:
    square, value, found = 1.0, 0.0, []
    for shock in draw.normal(size=n + 500):
        square = 0.02 + 0.08 * value**2 + 0.9 * square
        value = float(np.sqrt(square) * shock)
        found.append(value)
    return np.array(found[500:])


def lasting(memory: float) -> Series:
    def made(draw: np.random.Generator, n: int) -> np.ndarray:
        found = np.zeros(n + 300)
        for t, shock in enumerate(draw.normal(size=n + 299), 1):
            found[t] = memory * found[t - 1] + shock
        return found[300:]

    return made


MADE: dict[str, tuple[Series, int]] = {
    "normal": (lambda draw, n: draw.normal(size=n), 1),
    "student": (lambda draw, n: draw.standard_t(3, size=n), 1),
    "lasting": (lasting(0.6), 1),
    "long lasting": (lasting(0.9), 1),
    "storms": (garch, 1),
    "sizes in storms": (lambda draw, n: np.abs(garch(draw, n)), 1),
    "labels of five": (
        lambda draw, n: np.convolve(draw.normal(size=n + 4), np.ones(5), "valid"),
        5,
    ),
}


# What remembers its size for longer than any past at hand: docs/results.md has how often it alarms.
BEYOND = pytest.mark.xfail(strict=True, reason="1.1 to 1.8 alarms a year, of which 1 is allowed")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("before", [LEAST, 250])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=BEYOND) if n == "sizes in storms" else n for n in MADE]
)
def test_a_year_without_a_change_keeps_its_budget(name: str, before: int) -> None:
    make, overlap = MADE[name]
    years, alarms, severe, late = 60, list[int](), 0, list[int]()
    for seed in range(years):
        values = make(np.random.default_rng([3, seed]), before + YEAR)
        found = chart(values, before, overlap, both=False, seed=seed)
        assert found is not None
        beyond = found.numbers > found.threshold
        alarms.append(int(np.count_nonzero(beyond & ~np.append(False, beyond[:-1]))))
        severe += bool((found.numbers > found.severe).any())
        values[before:] += 2 * values[:before].std()
        moved = chart(values, before, overlap, both=False, seed=seed)
        assert moved is not None
        noticed = np.flatnonzero(moved.numbers > moved.threshold)
        late.append(int(noticed[0]) + 1 if len(noticed) else YEAR)
    told = f"{np.mean(np.array(alarms) > 0):.1%} of years alarm, {np.mean(alarms):.2f} a year"
    print(f"{name}, {before}: {told}, {severe / years:.1%} severely; "
          f"two deviations are noticed after {np.median(late):.0f} sessions")  # fmt: skip
    assert np.mean(alarms) <= 1.0, "the budget: one false alarm a year"
    # Calibrated on few sessions, they are more than the stated ones, but seldom still.
    assert np.mean(np.array(alarms) > 0) <= 2.5 * ALARMED and severe / years <= 8 * SEVERE
