"""The simulated market: what is planted can be found, where it should be and nowhere else."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from contracts.calendar import session_close
from contracts.settings import Settings, settings
from contracts.store import Provenance
from etl.simulation.market import MOMENTUM_SESSIONS, Market, path
from etl.simulation.news import news
from etl.source import SOURCES

END = date(2025, 6, 30)
INSTRUMENTS = [f"SIM{number:03}" for number in range(1, 9)]


def signals(market: Market) -> Iterator[tuple[Any, Any, Any, Any]]:
    """News and momentum known at each close, then the next overnight and daytime return, all as
    a reader of the facts would compute them."""
    for instrument in INSTRUMENTS:
        told = news(market, instrument).sentiment
        prices = path(market, instrument, told)
        shares = np.cumprod(prices.split)
        close, opens = prices.close * shares, prices.open * shares
        paid = prices.dividend * shares
        night = (opens[1:] + paid[1:]) / close[:-1] - 1
        day = close[1:] / opens[1:] - 1
        total = (close[1:] + paid[1:]) / close[:-1] - 1
        window = sliding_window_view(total, MOMENTUM_SESSIONS)
        momentum = np.tanh(
            window.sum(axis=1) / (window.std(axis=1) * MOMENTUM_SESSIONS**0.5 + 1e-9)
        )
        known = slice(MOMENTUM_SESSIONS, len(close) - 1)
        yield told[known], momentum[:-1], night[known], day[known]


def t_values(market: Market) -> dict[str, float]:
    """How far the correlation of signal and next return is from none, in standard errors."""
    told, momentum, night, day = (
        np.concatenate(part) for part in zip(*signals(market), strict=True)
    )
    pairs = {
        "news, day": (told, day),
        "momentum, day": (momentum, day),
        "news, night": (told, night),
        "momentum, night": (momentum, night),
    }
    return {
        name: float(np.corrcoef(signal, moved)[0, 1] * len(moved) ** 0.5)
        for name, (signal, moved) in pairs.items()
    }


@pytest.mark.parametrize("seed", [7, 8])
def test_the_effect_is_earned_after_the_next_open_and_not_before(seed: int) -> None:
    found = t_values(Market(seed, "XNYS", END, noise=False))
    assert found["news, day"] > 15 and found["momentum, day"] > 4
    assert abs(found["news, night"]) < 4 and abs(found["momentum, night"]) < 4


@pytest.mark.parametrize("seed", [7, 8])
def test_noise_has_no_effect(seed: int) -> None:
    found = t_values(Market(seed, "XNYS", END, noise=True))
    assert max(map(abs, found.values())) < 4


def test_history_does_not_depend_on_where_it_ends() -> None:
    long = Market(7, "XNYS", END, noise=False)
    short = Market(7, "XNYS", date(2024, 6, 28), noise=False)
    size = len(short.days)
    for instrument in INSTRUMENTS[:3]:
        told, before = news(long, instrument), news(short, instrument)
        assert np.array_equal(told.sentiment[:size], before.sentiment)
        longer = path(long, instrument, told.sentiment)
        shorter = path(short, instrument, before.sentiment)
        for name in ("open", "high", "low", "close", "volume", "split", "dividend"):
            assert np.array_equal(getattr(longer, name)[:size], getattr(shorter, name)), name


def test_an_instrument_does_not_depend_on_how_many_there_are(ask: Any, small: Settings) -> None:
    few = ask("simulated", small.model_copy(update={"sim_instruments": 2}))
    many = ask("simulated", small)
    kept = {"SIM001", "SIM002"}
    rows = [row for row in many["bars"].to_pylist() if row["instrument_id"] in kept]
    assert few["bars"].to_pylist() == rows


def test_another_seed_is_another_market(ask: Any, small: Settings) -> None:
    other = small.model_copy(update={"sim_seed": 8})
    assert ask("simulated", small)["bars"] != ask("simulated", other)["bars"]


def test_raw_prices_jump_at_splits_and_total_returns_do_not() -> None:
    market = Market(7, "XNYS", END, noise=False)
    splits = 0
    for instrument in INSTRUMENTS:
        prices = path(market, instrument, news(market, instrument).sentiment)
        total = (prices.close[1:] * prices.split[1:] + prices.dividend[1:]) / prices.close[:-1]
        assert np.abs(np.log(total)).max() < 0.35
        at = np.flatnonzero(prices.split[1:] != 1)
        splits += len(at)
        raw = prices.close[1:] / prices.close[:-1]
        assert np.all(np.abs(np.log(raw[at])) > 0.4)
    assert splits > 3


def test_a_year_and_a_half_of_twenty_holds_what_it_promises(ask: Any) -> None:
    found = ask("simulated", settings())
    bars = found["bars"].to_pylist()
    assert len({bar["instrument_id"] for bar in bars}) == 20
    assert len({bar["session"] for bar in bars}) == 750
    assert max(bar["session"] for bar in bars) == END
    restated = [bar for bar in bars if bar["known_at"] > bar["event_time"]]
    assert 1 <= len(restated) <= 20 and len(bars) == 20 * 750 + len(restated)
    assert {row["kind"] for row in found["actions"].to_pylist()} == {"split", "dividend"}
    assert all(bar["adjustment"] == "none" for bar in bars)
    told = found["headlines"].to_pylist()
    assert len({row["text_hash"] for row in told}) <= 1500 < len(told)
    closes = {day: session_close("XNYS", day) for day in {bar["session"] for bar in bars}}
    evening = [
        row for row in told if row["event_time"] > closes.get(row["event_time"].date(), END_OF_TIME)
    ]
    assert 0 < len(evening) < 0.3 * len(told)


END_OF_TIME = session_close("XNYS", END)


def test_it_says_that_it_is_simulated() -> None:
    expected = Provenance("append", "simulated", "simulated", vintages=True)
    assert SOURCES.get("simulated").provenance("append") == expected


def test_too_many_sessions_are_refused_with_the_setting(ask: Any, small: Settings) -> None:
    with pytest.raises(Exception, match="lower FINPULSE_SIM_SESSIONS"):
        ask("simulated", small.model_copy(update={"sim_sessions": 9999}))


def test_a_range_outside_the_market_is_refused(ask: Any, small: Settings) -> None:
    with pytest.raises(Exception, match=r"trades from .* to 2025-06-30"):
        ask("simulated", small, date(2025, 7, 1), date(2025, 7, 31))
