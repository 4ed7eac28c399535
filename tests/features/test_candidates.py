"""Support and resistance beside a plain search, and where they lie whatever prices do."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from handmade import Bar, path
from hypothesis import given, settings
from hypothesis import strategies as st

from features.engine import evaluate
from features.feature import FEATURES
from features.guards.trial import trial_panel
from features.panel import candidates
from features.panel.candidates import LEAST, MOST, NEAR, PARTS, RANGES, SIDE, USUAL
from features.panel.panel import Panel

NAMES = tuple(
    f"{side}_{what}_60"
    for side in ("support", "resistance")
    for what in ("distance", "away", "touches", "age", "kind")
)
W = 60


def found(panel: Panel) -> dict[str, np.ndarray]:
    return dict(evaluate(panel, [FEATURES.get(name) for name in NAMES]))


def in_words(bars: np.ndarray, volume: np.ndarray, sign: int) -> tuple[float, int, int, int]:
    """The level of the last of W rows, its touches, age in rows and kind, by a plain search."""
    _, high, low, close = bars.T
    before = close[-RANGES - 1 : -1]
    average = np.mean(np.maximum(high[-RANGES:], before) - np.minimum(low[-RANGES:], before))
    swings = []
    for j in range(SIDE, W - SIDE):
        around = slice(j - SIDE, j + SIDE + 1)
        swings += [(j, high[j])] if high[j] == high[around].max() else []
        swings += [(j, low[j])] if low[j] == low[around].min() else []
    typical = (high + low + close) / 3
    edges = np.linspace(typical.min(), typical.max(), PARTS + 1)
    profile = np.histogram(typical, edges, weights=volume)[0]
    node = float((edges[:-1] + edges[1:])[profile.argmax()] / 2)

    def near(price: float) -> list[int]:
        return [j for j, swing in swings if abs(swing - price) <= NEAR * average]

    def strength(price: float) -> tuple[float, float]:
        return len(near(price)) + (abs(node - price) <= NEAR * average), -sign * (close[-1] - price)

    prices = [p for p in (*(swing for _, swing in swings), node)]
    inside = [p for p in prices if LEAST <= sign * (close[-1] - p) / average <= MOST]
    if not inside:
        return close[-1] - sign * USUAL * average, 0, W, 0
    level = max(inside, key=strength)
    touched = near(level)
    kind = bool(touched) + 2 * bool(abs(node - level) <= NEAR * average)
    return level, len(touched), W - 1 - max(touched, default=-1), kind


@pytest.mark.parametrize("seed", range(6))
def test_levels_are_those_of_a_plain_search(seed: int) -> None:
    panel = trial_panel(1, 130, seed)
    values = found(panel)
    bars = np.column_stack([panel.columns[n] for n in ("open", "high", "low", "close")])
    kinds = set()
    for row in range(W - 1, 130):
        window = slice(row - W + 1, row + 1)
        for side, sign in (("support", 1), ("resistance", -1)):
            level, touches, age, kind = in_words(
                bars[window], panel.columns["volume"][window], sign
            )
            own = {
                what: values[f"{side}_{what}_60"][row]
                for what in ("distance", "touches", "age", "kind")
            }
            assert own["distance"] == pytest.approx(sign * np.log(bars[row, 3] / level), abs=1e-9)
            assert (own["touches"], own["kind"]) == (touches, kind)
            assert own["age"] == pytest.approx(age / W)
            kinds.add(kind)
    assert kinds >= {0, 1}


steps = st.lists(
    st.tuples(*[st.integers(-9, 9)] * 2, *[st.integers(1, 5)] * 2), min_size=62, max_size=90
)


def made(moves: Sequence[tuple[int, int, int, int]]) -> Panel:
    """Prices in cents."""
    bars, close = list[Bar](), 2000
    for gap, body, above, below in moves:
        opened = max(close + gap, 1200)
        close = max(opened + body, 1200)
        high, low = max(opened, close) + above, min(opened, close) - below
        bars.append((opened / 100, high / 100, low / 100, close / 100))
    plain = path(bars)
    traded = 100.0 * (1 + np.arange(len(bars)) % 7)
    return replace(plain, columns={**plain.columns, "volume": traded})


@settings(max_examples=60, deadline=None)
@given(steps)
def test_the_support_lies_below_the_close_and_the_resistance_above(
    moves: list[tuple[int, int, int, int]],
) -> None:
    panel = made(moves)
    values = found(panel)
    support, resistance = candidates.of_panel(panel, W)
    known = np.isfinite(support)
    assert known[W - 1 :].all() and not known[: W - 1].any()
    assert (support[known] < 1).all() and (resistance[known] > 1).all()
    for side in ("support", "resistance"):
        away = values[f"{side}_away_60"][known]
        assert (away >= LEAST - 1e-6).all() and (away <= MOST + 1e-6).all()
        assert ((values[f"{side}_kind_60"][known] > 0) | (abs(away - USUAL) < 1e-6)).all()
    assert support == pytest.approx(np.exp(-values["support_distance_60"]), nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(steps, st.sampled_from([0.01, 1 / 3, 2.0, 100.0]), st.integers(1, 20))
def test_neither_scale_nor_splits_nor_what_comes_after_moves_a_level(
    moves: list[tuple[int, int, int, int]], ratio: float, later: int
) -> None:
    panel = made(moves)
    prices = ("open", "high", "low", "close", "total")
    columns = {n: x * ratio if n in prices else x for n, x in panel.columns.items()}
    whole, scaled = found(panel), found(replace(panel, columns=columns))
    before = panel.place < len(moves) - later
    past = found(panel.where(before))
    for name, values in whole.items():
        np.testing.assert_allclose(scaled[name], values, rtol=1e-9, atol=1e-9, err_msg=name)
        np.testing.assert_array_equal(past[name], values[before], err_msg=name)


def test_walls_that_were_met_often_are_the_levels() -> None:
    # Up and down between 99 and 105 by half a point a session, and back.
    ladder = np.abs((np.arange(150) + 4) % 24 - 12) / 2 + 99
    panel = made([(0, 0, 0, 0)] * 150)
    columns = {"open": ladder, "high": ladder + 0.05, "low": ladder - 0.05, "close": ladder}
    panel = replace(panel, columns={**panel.columns, **columns, "total": ladder})
    values, inside = found(panel), (ladder > 100) & (ladder < 100.6) & (panel.place > 70)
    assert inside.sum() > 5
    level = ladder * np.exp(-values["support_distance_60"])
    assert level[inside] == pytest.approx(98.95)
    assert (values["support_touches_60"][inside] >= 2).all()


def test_a_price_that_never_moved_has_no_levels() -> None:
    panel = made([(0, 0, 0, 0)] * 80)
    assert all(np.isnan(values).all() for values in found(panel).values())


def test_a_dividend_widens_no_range() -> None:
    panel = made([(0, 3, 2, 2), (0, -3, 2, 2)] * 40)
    fallen = panel.place >= 75
    paid = np.where(panel.place == 75, 5.0, 0.0)
    columns = {n: np.where(fallen, x - 5.0, x) for n, x in panel.columns.items() if n != "volume"}
    other = replace(panel, columns={**panel.columns, **columns, "dividend": paid})
    ranges = [
        found(one)["resistance_distance_60"] / found(one)["resistance_away_60"]
        for one in (panel, other)
    ]
    assert ranges[1][-1] * 15 == pytest.approx(ranges[0][-1] * 20, rel=0.1)


def test_a_window_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 14 rows, found 14"):
        candidates.of_panel(made([(0, 1, 1, 1)] * 70), 14)
