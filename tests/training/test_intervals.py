"""The intervals cover what they say, for few sessions, dependent ones and fat tails."""

from collections.abc import Callable
from math import inf

import numpy as np
import pytest
from scipy import signal, stats

from training.evidence.intervals import Estimate, estimate, ratio
from training.evidence.score import tally
from training.forecast import Classes, Floats
from training.objective import Forecasts
from training.objectives.trend import Trend

REPEATS = 4000


Draw = Callable[[np.random.Generator, int, int], Floats]


def autoregressive(phi: float) -> Draw:
    def draw(random: np.random.Generator, repeats: int, n: int) -> Floats:
        shocks = random.normal(size=(repeats, n + 60))
        return np.asarray(signal.lfilter([1.0], [1.0, -phi], shocks, axis=1)[:, 60:])

    return draw


def fat(random: np.random.Generator, repeats: int, n: int) -> Floats:
    return np.asarray(random.standard_t(3, (repeats, n)))


def mixed(random: np.random.Generator, repeats: int, n: int) -> Floats:
    shocks = random.standard_t(4, (repeats, n + 1))
    return np.asarray(shocks[:, 1:] + 0.2 * shocks[:, :-1])


def overlapping(horizon: int) -> Draw:
    def draw(random: np.random.Generator, repeats: int, n: int) -> Floats:
        whole = random.normal(size=(repeats, n + horizon - 1))
        return np.lib.stride_tricks.sliding_window_view(whole, horizon, axis=1).sum(axis=2)

    return draw


SERIES: dict[str, tuple[Draw, int]] = {
    "independent": (autoregressive(0.0), 1),
    "phi 0.2": (autoregressive(0.2), 1),
    "phi 0.5": (autoregressive(0.5), 1),
    "t with 3 degrees": (fat, 1),
    "t with 4 degrees, dependent": (mixed, 1),
    "labels of 5 sessions": (overlapping(5), 5),
    "labels of 20 sessions": (overlapping(20), 20),
}


def covered(name: str, sessions: int, repeats: int) -> tuple[float, float]:
    """How often the 95 % interval holds the truth, and p is below 0.1; rows per session vary."""
    draw, overlap = SERIES[name]
    random = np.random.default_rng(sessions)
    held = low = 0
    for series in draw(random, repeats, sessions):
        rows = random.integers(1, 40, sessions).astype(float)
        found = ratio(rows * series, rows, overlap)
        ends = found.interval()
        held += ends[0] <= 0 <= ends[1]
        low += found.p_value < 0.1
    return held / repeats, low / repeats


@pytest.mark.parametrize("name", ["phi 0.5", "t with 3 degrees"])
def test_few_sessions_are_covered(name: str) -> None:
    held, low = covered(name, 40, 2000)
    # A share of 2000 has a deviation of 0.005 at 0.95 and of 0.007 at 0.1.
    assert 0.93 < held < 0.97 and 0.08 < low < 0.125


@pytest.mark.slow
@pytest.mark.parametrize("sessions", [40, 120, 400])
@pytest.mark.parametrize("name", SERIES)
def test_intervals_cover_what_they_say(name: str, sessions: int) -> None:
    held, low = covered(name, sessions, REPEATS)
    print(f"{name}, {sessions} sessions: covered {held:.1%}, p below 0.1 in {low:.1%}")
    assert 0.93 <= held <= 0.97
    assert 0.08 <= low <= 0.125


def test_a_mean_of_independent_sessions_has_students_law_exactly() -> None:
    random = np.random.default_rng(1)
    draws = [ratio(random.normal(size=25), np.ones(25)) for _ in range(3000)]
    assert {found.freedom for found in draws} == {2}
    scores = [found.value / found.error for found in draws]
    assert stats.kstest(scores, stats.t(2).cdf).pvalue > 0.01
    for found in draws[:5]:
        assert found.interval(0.8) == pytest.approx(
            stats.t.interval(0.8, 2, found.value, found.error)
        )
        assert found.p_value == pytest.approx(stats.t.sf(found.value / found.error, 2))


def test_the_error_is_that_of_the_cosines_by_loops() -> None:
    random = np.random.default_rng(3)
    gains, rows = random.normal(size=40), random.integers(1, 9, 40).astype(float)
    value = gains.sum() / rows.sum()
    # A ratio's influence is linear; the jackknife's differs by the session's weight only.
    parts = [
        39 * (value - (gains.sum() - g) / (rows.sum() - r))
        for g, r in zip(gains, rows, strict=True)
    ]
    waves = [
        np.sqrt(2 / 40) * sum(p * np.cos(np.pi * k * (t + 0.5) / 40) for t, p in enumerate(parts))
        for k in range(1, 4)
    ]
    found = ratio(gains, rows)
    assert (found.value, found.freedom) == (pytest.approx(value), 3)
    assert found.error == pytest.approx(np.sqrt(np.mean(np.square(waves)) / 40))


def test_every_score_has_the_interval_of_its_own_sampling_law() -> None:
    """Of many data sets of one truth, the interval of each score holds the score of very many."""
    random = np.random.default_rng(5)

    def made(sessions: int) -> tuple[Forecasts, np.ndarray, np.ndarray]:
        days = np.repeat(np.arange(sessions), random.integers(5, 15, sessions))
        mood = random.normal(size=sessions)[days] + random.normal(size=len(days))
        truth = np.digitize(mood + random.normal(size=len(days)), (-0.8, 0.8))
        chances = np.exp(np.outer(mood, (-1.0, 0.0, 1.0)))
        return (
            Forecasts(Trend(), Classes(3).from_means(chances)),
            truth,
            days.astype("datetime64[D]"),
        )

    true = tally(*made(40_000)).scores()
    held = dict.fromkeys(Trend.metrics, 0)
    for _ in range(300):
        found = tally(*made(60))
        point, rest = found.scores(), found.left_out()
        for metric in Trend.metrics:
            low, high = estimate(float(point[metric][0]), rest[metric]).interval()
            held[metric] += low <= true[metric][0] <= high
    assert all(0.91 < count / 300 < 0.985 for count in held.values()), held


def test_where_sessions_are_too_few_nothing_is_known() -> None:
    for n, overlap in ((0, 1), (1, 1), (11, 1), (15, 8), (39, 20)):
        found = ratio(np.ones(n), np.ones(n), overlap)
        assert (found.freedom, found.p_value, found.interval()) == (0, 1.0, (-inf, inf))
    assert ratio(np.ones(12), np.ones(12), 5).freedom == 1


def test_no_difference_at_all_is_no_gain() -> None:
    assert ratio(np.zeros(50), np.ones(50)).p_value == 1.0
    assert Estimate(0.1, 0.0, 5).p_value == 0.0 and Estimate(-0.1, 0.0, 5).p_value == 1.0


def test_the_longer_the_labels_the_less_the_error_rests_on() -> None:
    gains, rows = np.random.default_rng(2).normal(size=120), np.ones(120)
    assert [ratio(gains, rows, n).freedom for n in (1, 5, 10, 20, 60, 61)] == [10, 10, 6, 3, 1, 0]
