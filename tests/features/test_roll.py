"""Rolling primitives against numpy, pandas and scipy, window by window."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import linregress, pearsonr

from features.panel import roll
from features.panel.series import Segments, Series

Answer = Callable[[np.ndarray], float]

# name -> (the primitive, an independent answer for one window)
PRIMITIVES: dict[str, tuple[Callable[[Series, int], np.ndarray], Answer]] = {
    "sum": (roll.sum, np.sum),
    "mean": (roll.mean, np.mean),
    "std": (roll.std, lambda window: float(np.std(window, ddof=1))),
    "max": (roll.max, np.max),
    "min": (roll.min, np.min),
    "slope": (roll.slope, lambda window: linregress(np.arange(len(window)), window).slope),
    "quantile": (
        lambda x, w: roll.quantile(x, w, 0.8),
        lambda window: float(np.quantile(window, 0.8)),
    ),
}


def series(*segments: list[float] | np.ndarray) -> Series:
    offsets = np.cumsum([0, *map(len, segments)])
    values = np.concatenate([np.asarray(s, dtype=float) for s in segments])
    return Series.of(values, Segments(offsets, "instrument"))


def expected(answer: Answer, w: int, *segments: np.ndarray) -> np.ndarray:
    out = []
    for values in segments:
        for end in range(1, len(values) + 1):
            window = np.asarray(values[max(end - w, 0) : end], dtype=float)
            out.append(np.nan if len(window) < w or np.isnan(window).any() else answer(window))
    return np.array(out)


def prices(size: int, seed: int = 3) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, size)))


@pytest.mark.parametrize("name", PRIMITIVES)
@pytest.mark.parametrize("w", [2, 5, 20])
def test_each_window_has_the_independent_answer(name: str, w: int) -> None:
    primitive, answer = PRIMITIVES[name]
    first, second = prices(60), prices(31, seed=4)
    first[[7, 40]] = np.nan
    found = primitive(series(first, [], second, [5.0]), w)
    wanted = expected(answer, w, first, second, np.array([5.0]))
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("k", [1, 5])
def test_lags_are_those_of_pandas_within_each_segment(k: int) -> None:
    first, second = prices(30), prices(9, seed=4)
    first[[7, 20]] = np.nan
    x, parts = series(first, second), [pd.Series(first), pd.Series(second)]
    shifted = pd.concat([part.shift(k) for part in parts]).to_numpy()
    np.testing.assert_array_equal(roll.lag(x, k), shifted)
    np.testing.assert_array_equal(roll.diff(x, k), np.asarray(x) - shifted)
    returns = pd.concat([part.pct_change(k, fill_method=None) for part in parts])
    np.testing.assert_allclose(roll.change(x, k), returns, rtol=1e-12)


numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 6)) | st.just(float("nan"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(numbers, max_size=25), min_size=1, max_size=4), st.integers(2, 9))
def test_any_numbers_have_the_independent_answer(segments: list[list[float]], w: int) -> None:
    x = series(*segments)
    for name in ("sum", "mean", "std", "max", "min", "quantile"):
        primitive, answer = PRIMITIVES[name]
        wanted = expected(answer, w, *map(np.array, segments))
        np.testing.assert_allclose(primitive(x, w), wanted, rtol=1e-9, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_the_last_rows_give_bit_for_bit_what_the_history_gives(name: str) -> None:
    primitive, _ = PRIMITIVES[name]
    x, w = prices(200), 20
    whole = np.asarray(primitive(series(x), w))
    for end in range(w, 201):
        assert np.asarray(primitive(series(x[end - w : end]), w))[-1] == whole[end - 1]


def test_an_absurd_price_leaves_no_trace() -> None:
    x = prices(80)
    x[30] = 1e15
    found = np.asarray(roll.std(series(x), 10))
    wanted = expected(PRIMITIVES["std"][1], 10, x)
    np.testing.assert_allclose(found[40:], wanted[40:], rtol=1e-12)


def test_a_constant_has_no_spread_at_all() -> None:
    x = series(np.full(30, 0.1))
    assert np.asarray(roll.std(x, 20))[-1] == 0.0
    assert np.asarray(roll.mean(x, 20))[-1] == 0.1
    assert np.asarray(roll.slope(x, 20))[-1] == 0.0
    assert np.isnan(roll.corr(x, series_like(x, prices(30)), 20)).all()


def series_like(x: Series, values: np.ndarray) -> Series:
    assert x.segments is not None
    return Series.of(values, x.segments)


def test_correlation_against_scipy() -> None:
    x = series(prices(50))
    y = series_like(x, prices(50, seed=9))
    found = np.asarray(roll.corr(x, y, 12))
    assert np.isnan(found[:11]).all()
    for end in range(12, 51):
        wanted = pearsonr(np.asarray(x)[end - 12 : end], np.asarray(y)[end - 12 : end]).statistic
        assert found[end - 1] == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("span", [1, 3, 12])
def test_ema_against_pandas(span: int) -> None:
    x = prices(300)
    found = np.asarray(roll.ema(series(x), span))
    wanted = pd.Series(x).ewm(span=span, adjust=False).mean().to_numpy()
    start = roll.warm_up(span) - 1
    assert np.isnan(found[:start]).all()
    np.testing.assert_allclose(found[start:], wanted[start:], rtol=1e-9)


def test_the_same_call_is_computed_once() -> None:
    x = series(prices(30))
    assert roll.mean(x, 5) is roll.mean(x, 5)
    assert roll.std(roll.change(x, 1), 5) is roll.std(roll.change(x, 1), 5)
    assert roll.mean(x, 5) is not roll.mean(x, 6)
    assert roll.quantile(x, 5, 0.2) is not roll.quantile(x, 5, 0.8)


def test_what_has_no_segments_is_refused() -> None:
    x = series(prices(30))
    with pytest.raises(TypeError, match="bare ndarray"):
        roll.mean(np.where(x > 0, 1.0, 0.0), 5)
    with pytest.raises(TypeError, match="segments by instrument"):
        roll.mean(Series.of(prices(5), Segments(np.array([0, 5]), "session")), 2)


@pytest.mark.parametrize("call", [(roll.mean, 0), (roll.std, 1), (roll.ema, 0)])
def test_a_window_too_short_is_refused(call: tuple[Callable[..., object], int]) -> None:
    primitive, w = call
    with pytest.raises(ValueError, match="at least"):
        primitive(series(prices(9)), w)


huge = st.floats(allow_nan=True, allow_infinity=False) | st.sampled_from([1e300, -1e300, 1e-300])


@settings(max_examples=60, deadline=None)
@given(st.lists(huge, min_size=12, max_size=40), st.integers(2, 9))
def test_whatever_came_before_leaves_no_trace(values: list[float], w: int) -> None:
    """The last window alone gives the bits that it gives behind any history."""
    for name, (primitive, _) in PRIMITIVES.items():
        whole, alone = primitive(series(values), w), primitive(series(values[-w:]), w)
        np.testing.assert_array_equal(whole[-1], alone[-1], err_msg=name)


@settings(max_examples=40, deadline=None)
@given(st.lists(numbers, min_size=9, max_size=30), st.integers(3, 9), st.integers(0, 2**32 - 1))
def test_any_correlation_has_the_independent_answer(x: list[float], w: int, seed: int) -> None:
    one, other = np.array(x), np.random.default_rng(seed).normal(size=len(x))
    left = series(one)
    found = roll.corr(left, series_like(left, other), w)
    for end in range(w, len(x) + 1):
        window, beside = one[end - w : end], other[end - w : end]
        if np.isnan(window).any() or np.ptp(window) == 0.0:
            assert np.isnan(found[end - 1])
        else:
            wanted = np.corrcoef(window - window[-1], beside)[0, 1]
            assert found[end - 1] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("w", [2, 20, 61, 300])
def test_long_histories_are_walked_in_tiles_without_seams(w: int) -> None:
    values, other = prices(2500), prices(900, seed=5)
    x, parts = series(values, other), [pd.Series(values), pd.Series(other)]
    for name in ("sum", "mean", "std", "max", "min"):
        wanted = pd.concat([getattr(part.rolling(w), name)() for part in parts])
        found = PRIMITIVES[name][0](x, w)
        np.testing.assert_allclose(found, wanted, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("q", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_quantiles_against_pandas(q: float) -> None:
    values = np.round(prices(200), 0)  # with ties
    found = roll.quantile(series(values), 7, q)
    np.testing.assert_allclose(found, pd.Series(values).rolling(7).quantile(q), rtol=1e-12)


def test_a_series_of_other_rows_than_its_segments_is_refused() -> None:
    with pytest.raises(ValueError, match="30 rows, found 15"):
        roll.mean(series(prices(30))[::2], 5)
