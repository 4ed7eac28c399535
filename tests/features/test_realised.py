"""Realised volatility against pandas, over prices with nights, a dividend and bars of one price."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.engine import evaluate
from features.feature import FEATURES
from features.guards.trial import trial_panel
from features.panel.panel import Panel
from features.view import view

NAMES = [name for name in view("daily_4").features if name not in view("daily_3").features]


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Three instruments over 340 sessions; the first pays a dividend, the last rests for long."""
    plain = trial_panel(rows=340)
    columns = {name: values.copy() for name, values in plain.columns.items()}
    columns["dividend"][100] = 1.7
    flat = (plain.segment == 2) & (plain.place >= 60) & (plain.place < 150)
    for name in ("open", "high", "low", "close"):
        columns[name][flat] = columns["close"][plain.segment == 2][59]
    return replace(plain, columns=columns)


@pytest.fixture(scope="module")
def variances(panel: Panel) -> pd.Series:
    """Per row, by instrument: Garman-Klass and the night's squared log return."""
    bars = pd.DataFrame({n: panel.columns[n] for n in ("open", "high", "low", "close")})
    ranged, moved = np.log(bars["high"] / bars["low"]), np.log(bars["close"] / bars["open"])
    within = 0.5 * ranged**2 - (2 * np.log(2) - 1) * moved**2
    before = bars["close"].groupby(panel.segment).shift()
    night = np.log((bars["open"] + panel.columns["dividend"]) / before)
    return within + night**2


def of(panel: Panel, name: str) -> np.ndarray:
    return np.asarray(evaluate(panel, [FEATURES.get(name)])[name])


def agree(found: np.ndarray, wanted: pd.Series) -> None:
    np.testing.assert_allclose(found, wanted.to_numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("w", [1, 5, 22, 66, 252])
def test_means_over_a_day_a_week_a_month_a_quarter_and_a_year(
    panel: Panel, variances: pd.Series, w: int
) -> None:
    means = variances.groupby(panel.segment).rolling(w).mean().droplevel(0).clip(lower=0)
    agree(of(panel, f"realised_volatility_{w}"), np.sqrt(means))


def test_the_decayed_mean_is_that_of_riskmetrics(panel: Panel, variances: pd.Series) -> None:
    weights = 0.94 ** np.arange(64)[::-1]
    means = variances.groupby(panel.segment).rolling(64)
    wanted = means.apply(lambda x: x @ weights / weights.sum(), raw=True).droplevel(0)
    found = of(panel, "realised_volatility_decayed")
    agree(found, np.sqrt(wanted))
    # Without an end to its memory it would be next to the same.
    known = variances.fillna(0)
    endless = known.groupby(panel.segment).ewm(alpha=0.06).mean().droplevel(0)
    there = np.isfinite(found) & (panel.segment == 0)
    np.testing.assert_allclose(found[there], np.sqrt(endless)[there], rtol=0.03)


@pytest.mark.parametrize("w", [1, 5, 22])
def test_the_markets_is_of_the_mean_variance_of_its_members(panel: Panel, w: int) -> None:
    own = pd.Series(of(panel, f"realised_volatility_{w}") ** 2)
    wanted = own.groupby(panel.session).transform("mean")
    agree(of(panel, f"market_volatility_{w}"), np.sqrt(wanted))


def test_a_rest_has_none(panel: Panel) -> None:
    resting = (panel.segment == 2) & (panel.place >= 140) & (panel.place < 150)
    for name in ("realised_volatility_1", "realised_volatility_66", "realised_volatility_decayed"):
        assert (of(panel, name)[resting] < 1e-6).all(), name


@pytest.mark.parametrize("w", [1, 5])
def test_falls_are_in_volatilities_and_rises_are_none(
    panel: Panel, variances: pd.Series, w: int
) -> None:
    logs = np.log1p(pd.Series(of(panel, "return_1")))
    moved = logs.groupby(panel.segment).rolling(w).sum().droplevel(0) / np.sqrt(w)
    month = np.sqrt(variances.groupby(panel.segment).rolling(22).mean().droplevel(0).clip(lower=0))
    wanted = 1 + (-moved).clip(lower=0) / month.clip(lower=1e-4)
    found = of(panel, f"fall_{w}")
    agree(found, wanted)
    assert (found[moved > 0] <= 1).all() or np.isnan(found[moved > 0]).any()
    assert 0.2 < np.mean(found[np.isfinite(found)] > 1) < 0.8


def test_the_market_falls_by_its_mean_return(panel: Panel) -> None:
    own = pd.Series(of(panel, "return_1"))
    moved = own.groupby(panel.session).transform("mean")
    wanted = 1 + (-moved).clip(lower=0) / of(panel, "market_volatility_22")
    agree(of(panel, "market_fall_1"), wanted)


@pytest.mark.parametrize(("share", "w"), [(95, 252), (99, 252)])
def test_a_historical_loss_is_the_quantile_of_a_year(panel: Panel, share: int, w: int) -> None:
    lost = -pd.Series(of(panel, "return_1"))
    wanted = lost.groupby(panel.segment).rolling(w).quantile(share / 100).droplevel(0)
    found = of(panel, f"historical_loss_{share}_{w}")
    assert np.isfinite(found).any()
    agree(found, wanted)


def test_no_view_of_before_looks_at_them() -> None:
    assert len(NAMES) == 7 and view("daily_4").label is None
    assert view("daily_4").features[: -len(NAMES)] == view("daily_3").features
    older, newer = view("daily_4"), view("daily_5")
    assert newer.label is None and newer.features[: len(older.features)] == older.features
    assert older.hash == "7ed2e7142eebfd3d"
