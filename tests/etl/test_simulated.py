"""The simulated market: what is planted can be found, where it should be and nowhere else."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from contracts.settings import Settings, settings
from contracts.time.calendar import is_session, session_close, sessions
from contracts.universe import universe
from etl.simulation.listing import listings
from etl.simulation.market import MOMENTUM_SESSIONS, Market, path
from etl.simulation.news import news
from etl.source import SOURCES, Request

END = date(2025, 6, 30)
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
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


@pytest.fixture(scope="module")
def promised() -> dict[str, Any]:
    """All that sim20 delivers of its default extent."""
    given = Settings()
    begin, end = SOURCES.get("simulated").extent(universe("", given), given, NOW)
    frames: dict[str, list[pa.Table]] = {}
    for table, frame in SOURCES.get("simulated").frames(
        Request(universe("sim20", given), begin, end, NOW, given)
    ):
        frames.setdefault(table, []).append(frame)
    return {table: pa.concat_tables(parts).to_pylist() for table, parts in frames.items()}


def by_instrument(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each instrument, in their order."""
    ordered = sorted(rows, key=lambda row: row["instrument_id"])
    return {name: list(own) for name, own in groupby(ordered, lambda row: row["instrument_id"])}


def test_sim20_holds_what_it_promises(promised: Any) -> None:
    bars = promised["bars"]
    calendars = {row["instrument_id"]: row["calendar"] for row in promised["instruments"]}
    assert Counter(calendars.values()) == {"XNYS": 14, "XNSE": 6}
    first, last = min(bar["session"] for bar in bars), max(bar["session"] for bar in bars)
    assert last == END and len(sessions("XNYS", first, last)) == 1000
    assert {row["kind"] for row in promised["actions"]} == {"split", "dividend"}
    assert all(bar["adjustment"] == "none" for bar in bars)
    restated = [bar for bar in bars if bar["known_at"] > bar["event_time"]]
    assert 1 <= len(restated) <= 20
    # Mumbai's special Saturdays are none of the simulated exchange, which says so.
    rests = promised["trading_sessions"]
    assert [row["session"] for row in rests] == [date(2024, 1, 20), date(2025, 2, 1)]
    missing = {
        name: set(sessions(calendars[name], first, last))
        - {bar["session"] for bar in own}
        - {row["session"] for row in rests if row["calendar"] == calendars[name]}
        for name, own in by_instrument(bars).items()
    }
    gone = set(sessions("XNYS", date(2024, 9, 14), last))
    halted = {date(2024, 3, day) for day in (11, 12, 13, 14)}
    assert {name: days for name, days in missing.items() if days} == {
        "SIM012": halted,
        "SIM014": gone,
    }


def test_headlines_repeat_their_sentences_and_come_through_the_day(promised: Any) -> None:
    told = promised["headlines"]
    assert len({row["text_hash"] for row in told}) <= 1500 < len(told)
    closes = {day: session_close("XNYS", day) for day in sessions("XNYS", date(2022, 7, 1), END)}
    latest = session_close("XNYS", END)
    evening = [r for r in told if r["event_time"] > closes.get(r["event_time"].date(), latest)]
    assert 0 < len(evening) < 0.3 * len(told)


def test_a_delisting_is_announced_and_ends_everything(promised: Any) -> None:
    for table, count in (("symbols", 1), ("memberships", 2)):  # of the universe and of a sector
        rows = by_instrument(promised[table])["SIM014"]
        assert len(rows) == 2 * count
        for listed, ended in zip(rows[::2], rows[1::2], strict=True):
            assert listed.get("universe") == ended.get("universe")
            assert listed["valid_to"] is None and ended["valid_to"] == date(2024, 9, 13)
            assert ended["known_at"] == session_close("XNYS", date(2024, 8, 29))
    last = session_close("XNYS", date(2024, 9, 13))
    for table in ("bars", "headline_symbols", "documents"):
        rows = by_instrument(promised[table])["SIM014"]
        assert max(row["event_time"] for row in rows) <= last


def test_macro_values_come_in_vintages_of_one_month(promised: Any) -> None:
    values = promised["observations"]
    vintages: dict[Any, list[Any]] = {}
    for row in values:
        vintages.setdefault((row["series"], row["event_time"]), []).append(row)
    assert {name for name, _ in vintages} == {"SIM:INFLATION", "SIM:PAYROLLS", "SIM:OUTPUT"}
    assert sum(len(rows) == 3 for rows in vintages.values()) > 0.9 * len(vintages)
    for rows in vintages.values():
        assert all(row["known_at"] > row["event_time"] for row in rows)
        # An equal revision would be taken for a later statement when it is loaded again.
        assert all(a["value"] != b["value"] for a, b in pairwise(rows))
        assert [row["known_at"] for row in rows] == sorted(row["known_at"] for row in rows)


def test_each_instrument_files_every_quarter(promised: Any) -> None:
    for name, filed in by_instrument(promised["documents"]).items():
        ends = [row["period_end"] for row in filed]
        assert all(80 < (b - a).days < 100 for a, b in pairwise(ends)), name
        assert all((row["form"] == "10-K") == (row["period_end"].month == 12) for row in filed)
        assert all(30 < (row["known_at"].date() - row["period_end"]).days < 60 for row in filed)


def test_a_session_of_the_second_exchange_alone_comes_with_the_next(ask: Any) -> None:
    given = settings().model_copy(update={"sim_instruments": 15})
    days = sessions("XNYS", date(2025, 5, 22), date(2025, 5, 29))
    alone = date(2025, 5, 26)  # Memorial Day
    assert alone not in days and is_session("XNSE", alone)
    whole = ask("simulated", given, days[0], days[-1])
    parts = [ask("simulated", given, day, day) for day in days]
    for table in ("bars", "actions", "headlines", "headline_symbols", "documents", "observations"):
        rows = [row for part in parts for row in part[table].to_pylist()]
        assert sorted(map(str, rows)) == sorted(map(str, whole[table].to_pylist())), table
    own = by_instrument(parts[days.index(date(2025, 5, 27))]["bars"].to_pylist())
    assert [bar["session"] for bar in own["SIM015"]] == [alone, date(2025, 5, 27)]
    assert [bar["session"] for bar in own["SIM001"]] == [date(2025, 5, 27)]


def test_two_exchanges_share_no_shock() -> None:
    given = settings()
    listed = {listing.instrument: listing for listing in listings(given, universe())}
    moved = {}
    for name in ("SIM001", "SIM015"):
        market = listed[name].market
        prices = path(market, name, news(market, name).sentiment)
        moved[name] = np.log(prices.close * np.cumprod(prices.split))
    size = min(map(len, moved.values()))
    one, two = (np.diff(closes[:size]) for closes in moved.values())
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / size**0.5


def test_another_calendar_has_no_second_exchange() -> None:
    given = settings().model_copy(update={"calendar": "24/7"})
    assert {listing.market.calendar for listing in listings(given, universe())} == {"24/7"}


def test_it_says_that_it_is_simulated() -> None:
    found = SOURCES.get("simulated").provenance("append", settings())
    assert (found.origin, found.vintages) == ("simulated", True)


OTHERS = ({"sim_seed": 8}, {"sim_noise": True}, {"sim_instruments": 19}, {"calendar": "XNSE"})


@pytest.mark.parametrize("other", OTHERS)
def test_what_decides_its_values_names_the_market(other: dict[str, Any]) -> None:
    def named(**update: Any) -> str | None:
        given = settings().model_copy(update=update)
        return SOURCES.get("simulated").provenance("append", given).market

    assert named() != named(**other)
    assert named() == named(sim_sessions=40, sim_end="2025-12-31", universe="other")


def test_too_many_sessions_are_refused_with_the_setting(ask: Any, small: Settings) -> None:
    with pytest.raises(Exception, match="lower FINPULSE_SIM_SESSIONS"):
        ask("simulated", small.model_copy(update={"sim_sessions": 9999}))


def test_a_range_before_the_market_opens_is_refused(ask: Any, small: Settings) -> None:
    with pytest.raises(Exception, match="the simulated market opens on 2025-03-"):
        ask("simulated", small, date(2025, 1, 2), date(2025, 1, 31))


def test_past_its_end_it_goes_on_as_a_longer_market_would(ask: Any, small: Settings) -> None:
    later = date(2025, 7, 11)
    more = len(sessions("XNYS", END, later)) - 1
    longer = {"sim_end": str(later), "sim_sessions": small.sim_sessions + more}
    whole = ask("simulated", small.model_copy(update=longer))
    assert ask("simulated", small, last=later) == whole
    begin, end = SOURCES.get("simulated").extent(universe("", small), small, NOW, through=later)
    assert (begin, end) == (min(whole["bars"]["session"].to_pylist()), later)
    day = ask("simulated", small, later, later)["bars"].to_pylist()
    assert day == [row for row in whole["bars"].to_pylist() if row["session"] == later]


def test_a_session_within_the_extent_is_no_reason_to_go_on(small: Settings) -> None:
    reach = SOURCES.get("simulated").extent
    assert reach(universe("", small), small, NOW, through=date(2025, 6, 2))[1] == END


def test_a_delisting_is_told_before_the_market_reaches_it(ask: Any) -> None:
    short = {"sim_instruments": 14, "sim_sessions": 30, "sim_end": "2024-09-06"}
    found = ask("simulated", settings().model_copy(update=short))
    rows = [row for row in found["symbols"].to_pylist() if row["symbol"] == "SIM014"]
    assert [row["valid_to"] for row in rows] == [None, date(2024, 9, 13)]
