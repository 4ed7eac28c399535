"""Indicators against their reference formulas, recursive and from the first row, in plain loops."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from features.engine import evaluate
from features.feature import FEATURES
from features.guards.trial import trial_panel
from features.panel.panel import Panel

Bars = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def panel() -> Panel:
    """One instrument over 900 sessions."""
    return trial_panel(instruments=1, rows=900, seed=3)


@pytest.fixture(scope="module")
def bars(panel: Panel) -> Bars:
    return {name: np.array(panel.columns[name]) for name in ("open", "high", "low", "close")} | {
        "volume": np.array(panel.columns["volume"])
    }


def of(panel: Panel, name: str) -> np.ndarray:
    return np.asarray(evaluate(panel, [FEATURES.get(name)])[name])


def agree(found: np.ndarray, wanted: Sequence[float] | np.ndarray, scale: float = 1.0) -> None:
    """Equal to 1e-8 (of `scale`) wherever there is a value; and there are many."""
    wanted = np.asarray(wanted, float)
    there = ~np.isnan(found)
    assert there.sum() > 200
    assert np.abs(found[there] - wanted[there]).max() <= 1e-8 * scale


def wilder(values: list[float], n: int, start: int) -> list[float]:
    """Wilder's smoothing: the mean of the first n values from `start`, then 1 / n of each next."""
    out = [float("nan")] * len(values)
    out[start + n - 1] = sum(values[start : start + n]) / n
    for i in range(start + n, len(values)):
        out[i] = (out[i - 1] * (n - 1) + values[i]) / n
    return out


def test_rsi(panel: Panel, bars: Bars) -> None:
    close = bars["close"].tolist()
    ups = [0.0] + [max(b - a, 0.0) for a, b in pairwise(close)]
    downs = [0.0] + [max(a - b, 0.0) for a, b in pairwise(close)]
    gain, loss = wilder(ups, 14, 1), wilder(downs, 14, 1)
    wanted = [100 - 100 / (1 + g / d) for g, d in zip(gain, loss, strict=True)]
    agree(of(panel, "rsi_14"), wanted, scale=100.0)


def ranges(bars: Bars) -> list[float]:
    high, low, close = (bars[name].tolist() for name in ("high", "low", "close"))
    out = [high[0] - low[0]]
    for i in range(1, len(close)):
        before = close[i - 1]
        out.append(max(high[i] - low[i], abs(high[i] - before), abs(low[i] - before)))
    return out


def test_average_true_range(panel: Panel, bars: Bars) -> None:
    wanted = np.array(wilder(ranges(bars), 14, 1)) / bars["close"]
    agree(of(panel, "atr_14"), wanted)


def test_directional_movement(panel: Panel, bars: Bars) -> None:
    high, low = bars["high"].tolist(), bars["low"].tolist()
    plus, minus = [0.0], [0.0]
    for i in range(1, len(high)):
        up, down = high[i] - high[i - 1], low[i - 1] - low[i]
        plus.append(up if up > down and up > 0 else 0.0)
        minus.append(down if down > up and down > 0 else 0.0)
    smooth = [np.array(wilder(x, 14, 1)) for x in (plus, minus, ranges(bars))]
    rising, falling = 100 * smooth[0] / smooth[2], 100 * smooth[1] / smooth[2]
    agree(of(panel, "rising_index_14"), rising, scale=100.0)
    agree(of(panel, "falling_index_14"), falling, scale=100.0)
    dx = 100 * np.abs(rising - falling) / (rising + falling)
    agree(of(panel, "adx_14"), wilder(dx.tolist(), 14, 14), scale=100.0)


def test_exponential_means_and_macd(panel: Panel, bars: Bars) -> None:
    close = pd.Series(bars["close"])
    fast, slow = (close.ewm(span=n, adjust=False).mean() for n in (12, 26))
    agree(of(panel, "exponential_mean_12"), fast / close)
    agree(of(panel, "exponential_mean_26"), slow / close)
    line = fast - slow
    signal = line.ewm(span=9, adjust=False).mean()
    agree(of(panel, "macd"), line / close)
    agree(of(panel, "macd_signal"), signal / close)
    agree(of(panel, "macd_histogram"), (line - signal) / close)


def test_bollinger_bands(panel: Panel, bars: Bars) -> None:
    close = pd.Series(bars["close"])
    middle, width = close.rolling(20).mean(), 2 * close.rolling(20).std()
    agree(of(panel, "bollinger_upper_20"), (middle + width) / close)
    agree(of(panel, "bollinger_lower_20"), (middle - width) / close)
    agree(of(panel, "bollinger_width_20"), 2 * width / middle)
    agree(of(panel, "bollinger_position"), (close - middle + width) / (2 * width))


def test_stochastics(panel: Panel, bars: Bars) -> None:
    k = [float("nan")] * 13
    for i in range(13, len(bars["close"])):
        low, high = min(bars["low"][i - 13 : i + 1]), max(bars["high"][i - 13 : i + 1])
        k.append(100 * (bars["close"][i] - low) / (high - low))
    agree(of(panel, "stochastic_14"), k, scale=100.0)
    d = [np.mean(k[max(i - 2, 0) : i + 1]) for i in range(len(k))]
    agree(of(panel, "stochastic_signal_14"), d, scale=100.0)


def test_on_balance_volume(panel: Panel, bars: Bars) -> None:
    close, volume = bars["close"], bars["volume"]
    line = [0.0]
    for i in range(1, len(close)):
        line.append(line[-1] + volume[i] * float(np.sign(close[i] - close[i - 1])))
    wanted = [float("nan")] * len(close)
    for i in range(20, len(close)):
        wanted[i] = (line[i] - line[i - 20]) / sum(volume[i - 19 : i + 1])
    agree(of(panel, "balance_20"), wanted)


def test_money_flow(panel: Panel, bars: Bars) -> None:
    price = (bars["high"] + bars["low"] + bars["close"]) / 3
    wanted = [float("nan")] * len(price)
    for i in range(14, len(price)):
        up = down = 0.0
        for j in range(i - 13, i + 1):
            up += price[j] * bars["volume"][j] * (price[j] > price[j - 1])
            down += price[j] * bars["volume"][j] * (price[j] < price[j - 1])
        wanted[i] = 100 - 100 / (1 + up / down)
    agree(of(panel, "money_flow_14"), wanted, scale=100.0)


def test_volatilities_of_bars(panel: Panel, bars: Bars) -> None:
    frame = pd.DataFrame(bars)
    spread, body = np.log(frame.high / frame.low) ** 2, np.log(frame.close / frame.open) ** 2
    agree(of(panel, "parkinson_20"), np.sqrt(spread.rolling(20).mean() / (4 * np.log(2))))
    own = 0.5 * spread - (2 * np.log(2) - 1) * body
    agree(of(panel, "garman_klass_20"), np.sqrt(own.rolling(20).mean()))


def test_beta_is_the_slope_on_the_index(panel: Panel) -> None:
    own = pd.Series(panel.columns["total"]).pct_change()
    index = pd.Series(panel.columns["index_return"])
    agree(of(panel, "beta_60"), own.rolling(60).cov(index) / index.rolling(60).var())
    agree(of(panel, "index_correlation_60"), own.rolling(60).corr(index))
    grown = (1 + index).rolling(20).apply(np.prod, raw=True) - 1
    agree(of(panel, "index_momentum_20"), grown)


def test_swings_are_confirmed_before_they_are_known(panel: Panel, bars: Bars) -> None:
    high, close = bars["high"], bars["close"]
    wanted = [float("nan")] * len(high)
    for i in range(59, len(high)):
        peaks = [
            high[j] for j in range(i - 59 + 3, i - 3 + 1) if high[j] == max(high[j - 3 : j + 4])
        ]
        if peaks:
            wanted[i] = peaks[-1] / close[i] - 1
    found = of(panel, "swing_high_60")
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    agree(found, wanted)


def test_how_long_ago_the_high_was(panel: Panel, bars: Bars) -> None:
    wanted = [float("nan")] * len(bars["high"])
    for i in range(19, len(wanted)):
        wanted[i] = (19 - int(np.argmax(bars["high"][i - 19 : i + 1]))) / 20
    agree(of(panel, "since_high_20"), wanted)


def test_the_node_of_the_volume_profile(panel: Panel, bars: Bars) -> None:
    price = (bars["high"] + bars["low"] + bars["close"]) / 3
    wanted = [float("nan")] * len(price)
    for i in range(59, len(price)):
        weight, edges = np.histogram(
            price[i - 59 : i + 1], bins=20, weights=bars["volume"][i - 59 : i + 1]
        )
        heaviest = int(weight.argmax())
        wanted[i] = (edges[heaviest] + edges[heaviest + 1]) / 2 / bars["close"][i] - 1
    agree(of(panel, "volume_node_60"), wanted)


def test_sentiment_decays_with_time(panel: Panel) -> None:
    tone, scored = panel.columns["sentiment"], panel.columns["scored"]
    wanted = [float("nan")]
    up = down = 0.0
    for i in range(1, len(tone)):
        up, down = up * 2 / 3 + tone[i], down * 2 / 3 + scored[i]
        wanted.append(up / down if down else float("nan"))
    agree(of(panel, "news_sentiment_decayed"), wanted)


def test_disagreement_is_the_deviation_of_single_headlines() -> None:
    panel = trial_panel(instruments=1, rows=500)
    draw = np.random.default_rng(5)
    tones = [draw.uniform(-1, 1, int(n)) for n in np.nan_to_num(panel.columns["scored"])]
    panel.columns["sentiment"][1:] = [x.sum() for x in tones[1:]]
    panel.columns["sentiment_squares"][1:] = [(x**2).sum() for x in tones[1:]]
    wanted = [float("nan")] * 5
    for i in range(5, 500):
        window = np.concatenate(tones[i - 4 : i + 1])
        wanted.append(window.std() if len(window) else float("nan"))
    agree(of(panel, "news_disagreement_5"), wanted)
    usual = [float("nan")] * 21
    for i in range(21, 500):
        before = np.concatenate(tones[i - 20 : i])
        usual.append(tones[i].mean() - before.mean() if len(tones[i]) else float("nan"))
    agree(of(panel, "news_surprise_20"), usual)
