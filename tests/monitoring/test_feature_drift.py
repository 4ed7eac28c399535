"""Drift of a champion's features, over a real matrix."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from market import FLAT, VIEW, Market, close_of
from scipy import stats
from typer.testing import CliRunner

from contracts.cut import Cut
from contracts.store import Store
from contracts.universe import universe
from features.matrix.matrix import materialise
from features.matrix.receipts import MatrixMissing
from monitoring.__main__ import app
from monitoring.drift_test import DRIFT_TESTS, DriftTest
from monitoring.feature_drift import drift, threshold
from training.bundle.bundle import Bundle

NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)
TRAINED = 34


@pytest.fixture
def trained(store: Store, market: Market) -> Any:
    """A bundle trained on sessions 21 to 34; in the five after them the volume is tenfold."""
    loud = [
        market.bar(symbol, session) | {"volume": 10_000.0}
        for symbol in market.symbols
        for session in market.sessions[TRAINED + 1 :]
    ]
    market.load(store, *loud)
    snapshot = store.snapshot()
    first, last = market.sessions[21], market.sessions[TRAINED]
    materialise(store, Cut(universe(market.universe), first, last, snapshot), VIEW)
    return market.prior(FLAT, as_of=close_of(last), snapshot=snapshot)


@pytest.mark.integration
def test_the_feature_that_moved_alarms_and_the_dull_ones_do_not(
    store: Store, market: Market, trained: Any
) -> None:
    asked = Cut.at(universe(market.universe), market.last, store.snapshot()).back(5)
    scores = drift(store, trained.hash, asked, NOW).to_pylist()
    alarms = {row["feature"] for row in scores if row["alarm"]}
    assert alarms == {"volume_ratio_20"}
    assert len(scores) == len(VIEW.features) * len([t for t in DRIFT_TESTS if not t.joint])
    stored = store.query("SELECT * FROM drift").to_pylist()
    assert len(stored) == len(scores)
    assert {row["bundle"] for row in stored} == {trained.hash}
    again = drift(store, trained.hash, asked, NOW)
    assert again.num_rows == len(stored) == store.query("SELECT * FROM drift").num_rows


@pytest.mark.integration
def test_without_the_training_matrix_the_error_names_the_verb(store: Store, market: Market) -> None:
    market.load(store)
    asked = Cut.at(universe(market.universe), market.last, store.snapshot()).back(5)
    with pytest.raises(LookupError, match="python -m features materialise"):
        drift(store, market.prior(FLAT).hash, asked, NOW)


def replaced(trained: Bundle, market: Market) -> Bundle:
    """A bundle of another target that learnt from the same rows."""
    return market.times(1.0, as_of=trained.manifest.as_of, snapshot=trained.manifest.snapshot)


@pytest.mark.integration
def test_the_verb_ends_with_the_alarms(store: Store, market: Market, trained: Any) -> None:
    market.promote(store, market.champion(trained, 1))
    options = ["drift", "--session", str(market.last), "--snapshot", str(store.snapshot())]
    done = CliRunner().invoke(app, [*options, "--sessions", "5"], catch_exceptions=False)
    count = len(VIEW.features) * len([t for t in DRIFT_TESTS if not t.joint])
    alarms = [line for line in done.stdout.splitlines() if line.endswith("ALARM")]
    # A feature of twenty sessions changes too seldom within five for a limit of ks.
    assert {line.split()[0] for line in alarms} == {"psi"}
    assert done.stdout.splitlines()[-1] == f"{len(alarms)} alarms in {count} scores"
    # A second office that cannot be compared is named, and stops nothing.
    lost = market.times(1.0, snapshot=1_000_000)
    market.promote(store, market.champion(lost, 1))
    again = CliRunner().invoke(app, [*options, "--sessions", "5"])
    assert again.exit_code == 1 and isinstance(again.exception, MatrixMissing)
    assert f"{market.universe}/volatility_5: no session" in again.stderr
    assert [line for line in again.stdout.splitlines() if line.endswith("ALARM")] == alarms
    market.promote(store, market.champion(replaced(trained, market), 2))
    done = CliRunner().invoke(app, [*options, "--sessions", "5"], catch_exceptions=False)
    assert done.stdout.splitlines()[-1] == f"{2 * len(alarms)} alarms in {2 * count} scores"
    kinds = store.query("SELECT DISTINCT target FROM drift")["target"].to_pylist()
    assert sorted(kinds) == ["trend_1", "volatility_5"]


def seasons(rows: int = 20, sessions: int = 400, regime: float = 0.0) -> tuple[Any, Any]:
    """Values of a feature whose mean swings by `regime` with a period of 80 sessions."""
    days = np.repeat(np.datetime64("2023-01-02") + np.arange(sessions), rows)
    swing = regime * np.sign(np.sin(2 * np.pi * np.arange(sessions) / 80))
    noise = np.random.default_rng(5).normal(size=rows * sessions)
    return np.repeat(swing, rows) + noise, days


def test_a_steady_feature_keeps_the_declared_threshold() -> None:
    test = DRIFT_TESTS.get("psi")
    assert threshold(test, *seasons(), 40, 1) == test.threshold


def test_a_feature_that_always_swung_alarms_only_beyond_its_swings() -> None:
    test = DRIFT_TESTS.get("psi")
    values, days = seasons(regime=0.7)
    limit = threshold(test, values, days, 40, 1)
    usual = test.score(values, values[days >= days[-1] - np.timedelta64(39)])
    beyond = test.score(values, 3.0 + np.random.default_rng(6).normal(size=800))
    assert test.threshold < usual < limit < beyond


def test_the_limit_is_students_bound_for_one_more_window() -> None:
    # Ten windows that share nothing, of a feature without a memory: the textbook's formula.
    test = DriftTest("level", lambda _, now: float(np.exp(now[0])), 1e-9, np.inf)
    levels = np.random.default_rng(4).normal(size=11)
    values, days = levels, np.arange(11).astype("datetime64[D]")
    logs = levels[:10]
    bound = stats.t.ppf(0.99, 10) * np.std(logs) * np.sqrt(11 / 10 * 12 / 11)
    assert threshold(test, values, days, 1, 0) == pytest.approx(np.exp(logs.mean() + bound))


def test_the_less_a_reference_tells_the_farther_off_is_the_limit() -> None:
    test, values, days = DRIFT_TESTS.get("psi"), *seasons(regime=1.0)
    short = seasons(sessions=120, regime=1.0)
    limit, slow = (threshold(test, values, days, 40, memory) for memory in (1, 60))
    assert limit < slow < threshold(test, *short, 40, 60) < np.inf


def test_values_all_beyond_the_reference_are_an_alarm_however_it_swung() -> None:
    test, (values, days) = DRIFT_TESTS.get("ks"), seasons(sessions=90, regime=9.0)
    limit = threshold(test, values, days, 40, 60)
    assert limit == test.ceiling < test.score(values, values[:800] + 100)


def test_one_new_value_of_a_feature_told_monthly_is_no_alarm_however_large() -> None:
    test, months = DRIFT_TESTS.get("ks"), np.random.default_rng(3).normal(size=24)
    values = np.repeat(months, 21 * 5)
    days = np.repeat(np.arange(24 * 21).astype("datetime64[D]"), 5)
    largest = np.full(100, months.max() + 1)
    assert test.score(values, largest) > test.ceiling
    assert threshold(test, values, days, 20, 1) > test.score(values, largest)
    assert threshold(test, values, days, 40, 1) == test.ceiling


def test_a_reference_of_one_window_calibrates_nothing() -> None:
    test = DRIFT_TESTS.get("psi")
    assert threshold(test, *seasons(sessions=40, regime=1.0), 40, 1) == test.threshold
