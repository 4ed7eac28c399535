"""The risk of a portfolio, against counting by hand and by other formulas."""

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market import FLAT, Market
from starlette.testclient import TestClient

from contracts.cut import Cut
from contracts.store import Store
from contracts.tables import ACTIONS
from contracts.time.calendar import last_sessions
from contracts.universe import universe
from serving.app import create_app
from serving.served.holdings import Returns, TooFewSessions, returns, risk

DAYS = tuple(date(2025, 1, 1) + timedelta(days=k) for k in range(1000))


def told(values: np.ndarray, *symbols: str) -> Returns:
    return Returns(DAYS[: len(values)], symbols, values)


def test_losses_are_those_of_the_worst_sessions() -> None:
    # A hundred sessions: losses of 1 % to 100 tenths of a percent, once each.
    own = -np.random.default_rng(0).permutation(np.arange(1, 101) / 1000)
    found = risk(told(own[:, None], "A"), {"A": 1.0})
    assert found["es_95"] == pytest.approx(np.mean([0.096, 0.097, 0.098, 0.099, 0.1]))
    assert found["es_99"] == pytest.approx(0.1)
    assert found["var_95"] == pytest.approx(-np.quantile(own, 0.05))
    low, high = found["var_95_interval"]  # type: ignore[misc]
    assert low < found["var_95"] < high  # type: ignore[operator]
    assert found["stress"]["worst_session"]["return"] == pytest.approx(-0.1)  # type: ignore[index]


def test_the_interval_of_the_quantile_holds_it_as_often_as_it_says() -> None:
    random, truth, held = np.random.default_rng(1), 1.6448536, 0
    for _ in range(400):
        found = risk(told(random.normal(size=(250, 1)) / 100, "A"), {"A": 1.0})
        low, high = found["var_95_interval"]  # type: ignore[misc]
        held += low <= truth / 100 <= high
    assert 0.92 <= held / 400 <= 0.99


def test_the_equal_weight_is_the_market() -> None:
    random = np.random.default_rng(2)
    values = random.normal(0, 0.01, (300, 1)) + random.normal(0, 0.01, (300, 4))
    equal = dict.fromkeys("ABCD", 0.25)
    found = risk(told(values, *"ABCD"), equal)
    assert found["beta"] == pytest.approx(1.0)
    double = risk(told(values, *"ABCD"), {name: 2 * weight for name, weight in equal.items()})
    assert double["beta"] == pytest.approx(2.0)
    assert double["var_95"] == pytest.approx(2 * found["var_95"])  # type: ignore[operator]
    assert risk(told(values, *"ABCD"), {"A": 0.0})["es_99"] == 0.0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(-3, 3), st.floats(-3, 3))
def test_what_always_holds(seed: int, one: float, other: float) -> None:
    values = np.random.default_rng(seed).standard_t(4, (120, 3)) / 100
    values[seed % 60, seed % 3] = np.nan
    found = risk(told(values, *"ABC"), {"A": one, "B": other})
    assert 0 <= found["var_95"] <= found["var_99"]  # type: ignore[operator]
    for level in (95, 99):
        assert found[f"es_{level}"] >= found[f"var_{level}"] - 1e-9  # type: ignore[operator]
    assert found["stress"]["worst_session"]["return"] <= 0  # type: ignore[index]
    assert found["sessions"] == 119 + (seed % 3 == 2)


def test_too_little_history_names_who_lacks_it() -> None:
    values = np.full((100, 2), 0.01)
    values[:50, 1] = np.nan
    with pytest.raises(TooFewSessions, match="the fewest has B, 50"):
        risk(told(values, "A", "B"), {"A": 0.5, "B": 0.5})


@pytest.mark.integration
def test_returns_are_total_ones_of_the_sessions_asked_for(store: Store, market: Market) -> None:
    market.load(store)
    ex, split = market.sessions[-3], market.sessions[-5]
    known = {"source": "simulated", "known_at": store_time(market)}
    actions = [
        {"instrument_id": "SIM001", "ex_date": ex, "kind": "dividend", "value": 2.0} | known,
    ]
    market.append(store, ACTIONS, actions)
    cut = Cut.at(universe(market.universe), market.last, store.snapshot()).back(10)
    ids = {"SIM001": "SIM001", "SIM003": "SIM003", "ABSENT": "NOBODY"}
    found = returns(store, cut, ids)
    assert found.sessions == tuple(market.sessions[-10:]) and split in found.sessions
    closes = np.array([100.0 + (30 + k) % 2 for k in range(10)])
    plain = closes[1:] / closes[:-1] - 1
    np.testing.assert_allclose(found.values[1:, 1], plain)
    paid = plain.copy()
    at = found.sessions.index(ex) - 1
    paid[at] = (closes[at + 1] / closes[at]) * (1 + 2 / closes[at + 1]) - 1
    np.testing.assert_allclose(found.values[1:, 0], paid)
    assert np.isnan(found.values[:, 2]).all()


def store_time(market: Market) -> datetime:
    from market import close_of

    return close_of(market.sessions[0])


@pytest.mark.integration
def test_a_portfolio_is_asked_about(store: Store, market: Market) -> None:
    market.__dict__["sessions"] = list(last_sessions(market.calendar, market.last, 90))
    market.load(store)
    market.crown(store, FLAT, 1)
    app = create_app(store, market.universe)
    app.state.service.watch.poll()
    client = TestClient(app)
    found = client.get("/risk/SIM001:0.6,SIM002:-0.2?sessions=60").json()
    assert found["sessions"] == 60 and found["last"] == str(market.last)
    assert found["weights"] == {"SIM001": 0.6, "SIM002": -0.2}
    # All symbols close at 100 and 101 by turns: what is short takes from what is long.
    assert found["var_95"] == pytest.approx(0.4 / 101, rel=1e-6)
    assert found["beta"] == pytest.approx(0.4)
    for wrong in ("SIM001", "SIM001:x", "SIM001:0.5,SIM001:0.5", ":1", "SIM001:inf", "SIM001:1e9"):
        answer = client.get(f"/risk/{wrong}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_portfolio"), wrong
    assert client.get("/risk/SIM999:1").json()["code"] == "unknown_symbol"
    few = client.get("/risk/SIM001:1?sessions=59")
    assert few.json()["code"] == "invalid_request"
