"""Prices as exchanges quote them: ties, splits that round, bars without range, prices pinned.

Every feature and every label is tried, those of tomorrow too: a later split rounds every price
anew, and nothing may hang on the bits that it leaves.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from functools import cache

import numpy as np
import polars as pl
import pytest
from quoted import (
    KINDS,
    PRICES,
    Columns,
    Kind,
    adjusted_by,
    after_a_split,
    flat_bars,
    growing,
    in_cents,
    in_other_bits,
    panel_of,
    pinned,
)

from features.engine import evaluate
from features.feature import FEATURES
from features.guards.hindsight import decisions, refuse_hindsight
from features.guards.of_features import same
from features.inputs.adjust import Actions
from features.label import LABELS, Label
from training.leaklab.market import Lab

MEMBERS = [kind(horizon=h) for kind in LABELS for h in (1, 5)]  # type: ignore[call-arg]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@cache
def values_of(kind: Kind, seed: int = 3) -> Columns:
    """All features of the panel of that kind."""
    return dict(evaluate(panel_of(kind, seed), list(FEATURES)))


def scale_free(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: x for name, x in values.items() if FEATURES.get(name).scale_free}


@every_kind
@pytest.mark.parametrize("ratio", [3.0, 7.0, 1 / 3])
def test_a_later_split_changes_no_feature(kind: Kind, ratio: float) -> None:
    before = scale_free(values_of(kind))
    after = scale_free(evaluate(after_a_split(panel_of(kind), ratio), list(FEATURES)))
    assert [name for name in before if not same(after[name], before[name])] == []


@every_kind
@pytest.mark.parametrize("seed", [1, 2])
def test_no_feature_hangs_on_the_last_bits(kind: Kind, seed: int) -> None:
    before = values_of(kind)
    after = evaluate(in_other_bits(panel_of(kind), seed), list(FEATURES))
    assert [name for name in before if not same(after[name], before[name])] == []


@every_kind
@pytest.mark.parametrize("label", MEMBERS, ids=lambda label: label.name)
def test_no_label_hangs_on_the_last_bits(kind: Kind, label: Label) -> None:
    panel = panel_of(kind)
    whole = label.settle(panel, label.basis(panel))
    for other in (*(after_a_split(panel, r) for r in (3.0, 7.0)), in_other_bits(panel, 1)):
        found = label.settle(other, label.basis(other))
        np.testing.assert_array_equal(found.settled, whole.settled)
        rows = whole.settled
        np.testing.assert_allclose(found.value[rows], whole.value[rows], rtol=0, atol=1e-9)
        np.testing.assert_allclose(found.total_return[rows], whole.total_return[rows], atol=1e-9)
        assert np.isfinite(found.value[rows]).all()


@every_kind
def test_no_value_is_what_rounding_left_of_a_division_by_nothing(
    kind: Kind,
) -> None:
    found = scale_free(values_of(kind))
    assert {name for name, x in found.items() if (np.abs(x) > 1e6).any()} == set()


def test_constant_growth_is_constant() -> None:
    """What is made of prices alone is the same in every session, or null in every one."""
    panel = panel_of(growing)
    of_prices = [f for f in FEATURES if f.columns <= {*PRICES, "total", "volume"} and f.scale_free]
    found = evaluate(panel, [f for f in of_prices if not f.cross_section])
    assert len(found) > 100
    rows = (panel.segment == 0) & (panel.place > 640)
    for name, values in found.items():
        own = values[rows]
        assert np.isnan(own).all() or np.ptp(own) <= 1e-9 * max(1.0, abs(own[0])), name
    assert np.isnan(found["steady_momentum_5"][rows]).all()
    assert (found["volatility_20"][rows] == 0.0).all()
    assert np.isnan(found["autocorrelation_20"][rows]).all()


def test_a_pinned_price_has_no_beta_no_swing_and_no_flow() -> None:
    panel = panel_of(pinned)
    wanted = {"beta_60": 0.0, "volatility_20": 0.0, "accumulation_20": 0.0, "balance_20": 0.0}
    wanted |= {"mean_20": 1.0, "drawdown_60": 0.0, "mean_cross": 0.0, "macd_cross": 0.0}
    wanted |= {"garman_klass_20": 0.0, "since_high_20": 0.0, "breakout_20": 0.0}
    for tried in (panel, after_a_split(panel, 3.0), in_other_bits(panel, 5)):
        found = evaluate(tried, list(FEATURES))
        rows = (panel.segment == 0) & (panel.place > 640)
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name][rows], value, atol=1e-9, err_msg=name)
        for name in ("money_flow_14", "rsi_14", "stochastic_14", "steady_momentum_5"):
            assert np.isnan(found[name][rows]).all(), name


def test_a_pinned_price_over_a_split_is_pinned() -> None:
    """Before a split of 7:1 a price of 29.33 is one of 4.19, and in floats a bit less."""
    panel = panel_of(pinned)
    day = panel.session[400]
    raw = {n: np.where(panel.session < day, 29.33, 4.19) for n in PRICES}
    split = Actions(np.array([day]), np.array([7.0]))
    panel = adjusted_by(replace(panel, columns={**panel.columns, **raw}), split)
    assert len(set(panel.columns["close"])) == 2
    found = evaluate(panel, list(FEATURES))
    rows = (panel.segment == 0) & (panel.session > day)
    for name in ("return_1", "volatility_20", "beta_60", "balance_20", "rose", "above_mean"):
        assert (found[name][rows][70:] == 0.0).all(), name
    assert np.isnan(found["standard_score_20"][rows]).all()


def test_the_money_flow_of_cents_is_that_of_fractions() -> None:
    panel = panel_of(in_cents)
    own = panel.segment == 0
    high, low, close = (np.round(100 * panel.columns[n][own]).astype(int) for n in PRICES[1:])
    volume = panel.columns["volume"][own].astype(int)
    typical = [Fraction(int(s), 3) for s in high + low + close]
    found = evaluate(panel, [FEATURES.get("money_flow_14")])["money_flow_14"][own]
    moves = np.sign(np.diff(high + low + close))
    assert (moves == 0).sum() > 20  # there are ties
    for i in range(14, len(typical)):
        up = down = Fraction(0)
        for j in range(i - 13, i + 1):
            money = typical[j] * int(volume[j])
            up += money * int(typical[j] > typical[j - 1])
            down += money * int(typical[j] < typical[j - 1])
        wanted = float(100 * up / (up + down)) if up + down else np.nan
        np.testing.assert_allclose(found[i], wanted, atol=1e-9)


def test_the_node_of_cents_is_that_of_fractions() -> None:
    panel = panel_of(in_cents)
    own = panel.segment == 0
    high, low, close = (np.round(100 * panel.columns[n][own]).astype(int) for n in PRICES[1:])
    price, volume = high + low + close, panel.columns["volume"][own].astype(int)
    found = evaluate(panel, [FEATURES.get("volume_node_60")])["volume_node_60"][own]
    for i in range(59, len(price)):
        window = price[i - 59 : i + 1]
        bottom, height = int(window.min()), int(np.ptp(window))
        profile = [0] * 20
        for p, v in zip(window.tolist(), volume[i - 59 : i + 1].tolist(), strict=True):
            profile[min((p - bottom) * 20 // height, 19)] += v
        heaviest = profile.index(max(profile))
        node = Fraction(bottom) + Fraction(2 * heaviest + 1, 40) * height
        np.testing.assert_allclose(found[i], float(node / 3 / int(close[i])) - 1, atol=1e-9)


@pytest.mark.parametrize(
    ("gaps", "crossings"),
    [
        ([1, 1, -1, -1], {2: -1}),
        ([-1, 0, 1, 1], {2: 1}),  # through equality: once, when it is through
        ([1, 0, 1, 1], {}),  # a touch is none
        ([-1, 0, 0, -1], {}),
        ([1, 0, 0, 0, -1, 1], {4: -1, 5: 1}),
    ],
)
def test_a_crossing_counts_once_and_a_touch_not_at_all(
    gaps: list[int], crossings: dict[int, int]
) -> None:
    panel = panel_of(in_cents)
    sides = [1 if gaps[0] > 0 else -1] * 30 + gaps
    close = _closes_with_sides(sides)
    rows = slice(0, len(close))
    columns = {n: x[rows].copy() for n, x in panel.columns.items()}
    columns["close"] = close
    short = replace(
        panel.where((panel.segment == 0) & (panel.place < len(close))),
        columns=columns,
        offsets=np.array([0, len(close)]),
        instruments=panel.instruments[:1],
        ended=panel.ended[:1],
    )
    found = evaluate(short, [FEATURES.get("mean_cross")])["mean_cross"][-len(gaps) :]
    assert {i: int(v) for i, v in enumerate(found) if v} == crossings


def _closes_with_sides(sides: list[int]) -> np.ndarray:
    """Closes in cents whose mean of 5 lies above (1), at (0), below (-1) that of 20."""
    closes = [1000 + (i % 2) for i in range(24)]
    for side in sides:
        # 4 x (sum of 5) - (sum of 20) is what the newest close moves by 3.
        gap = 4 * sum(closes[-4:]) - sum(closes[-19:])
        wanted = -gap / 3 + (0 if side == 0 else 40 * side)
        closes.append(wanted if side == 0 else round(wanted))
    return np.array(closes) / 100


def test_a_bar_without_range_adds_nothing_to_the_accumulation() -> None:
    panel = panel_of(flat_bars)
    own = {n: x[panel.segment == 0] for n, x in panel.columns.items()}
    found = evaluate(panel, [FEATURES.get("accumulation_20")])["accumulation_20"]
    found = found[panel.segment == 0]
    height = np.round(100 * (own["high"] - own["low"]))
    place = np.round(100 * (2 * own["close"] - own["high"] - own["low"])) / np.maximum(height, 1)
    assert (height == 0).sum() > 100 and np.isfinite(found[19:]).all()
    for i in range(19, len(found)):
        window = slice(i - 19, i + 1)
        volume = own["volume"][window]
        assert found[i] == pytest.approx((place[window] * volume).sum() / volume.sum(), abs=1e-9)


@pytest.mark.parametrize("ratio", [3.0, 7.0])
def test_hindsight_is_not_seen_in_prices_in_cents(ratio: float) -> None:
    """A split that is announced in time changes none of the decisions before it."""
    lab = Lab()
    facts = lab.facts
    draw = np.random.default_rng(4)
    bars = facts.bars.filter(pl.col("known_at") <= pl.col("event_time"))
    cents = in_cents(draw, len(bars))
    late = bars["session"] >= lab.sessions[80]
    quoted = {n: np.where(late, np.round(cents[n] / ratio, 2), cents[n]) for n in PRICES}
    bars = bars.with_columns(**{n: pl.Series(x) for n, x in quoted.items()})
    ids = sorted(bars["instrument_id"].unique())
    known = lab.close_of(60) + timedelta(hours=1)
    split = {"ex_date": lab.sessions[80], "value": ratio, "known_at": known}
    actions = pl.concat(
        [facts.actions.with_columns(instrument_id=pl.lit(i)) for i in ids]
    ).with_columns(**{n: pl.lit(v).cast(facts.actions.schema[n]) for n, v in split.items()})
    facts = replace(facts, bars=bars, actions=actions)
    features = [f for f in FEATURES if f.scale_free and f.lookback <= 61]
    assert len(features) > 100
    refuse_hindsight(
        lambda told: decisions(told, features), facts, [lab.close_of(n) for n in (59, 70, 79)]
    )
