"""Two providers tell of the same market: whose word counts is the universe's order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.store import Provenance
from contracts.table import Table
from contracts.tables import ACTIONS, BARS, HEADLINES, MEMBERSHIPS, OBSERVATIONS
from contracts.time.calendar import session_open
from contracts.universe import universe
from features.facts.facts import Facts, Request, read
from features.facts.latest import latest_bars
from features.facts.panels import decision_panel, newest_panel
from features.facts.providers import Providers
from features.guards.hindsight import KEY, refuse_hindsight

NOON = datetime(2025, 6, 2, 12, tzinfo=UTC)
# Alphabetically `aaa` comes first, and what counted was the last of those that named members.
GOOD, OTHER = "zzz", "aaa"


@settings(max_examples=60, deadline=None)
@given(
    told=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), min_size=1, unique=True),
    order=st.permutations("abc"),
)
def test_at_any_moment_the_best_of_those_who_have_spoken_counts(
    told: list[tuple[str, int]], order: Sequence[str]
) -> None:
    rows = [
        {"series": "s", "instrument_id": None, "event_time": NOON, "source": source}
        | {"value": float(place), "known_at": NOON + timedelta(days=day)}
        for place, (source, day) in enumerate(told)
    ]
    frame = pl.from_arrow(pa.Table.from_pylist(rows, schema=OBSERVATIONS.schema))
    assert isinstance(frame, pl.DataFrame)
    kept = Providers(seen=order).best(OBSERVATIONS, frame).sort("known_at")
    for day in range(7):
        known = [(order.index(s), -d, v) for v, (s, d) in enumerate(told) if d <= day]
        wanted = min(known)[2] if known else None
        found = kept.filter(pl.col("known_at") <= NOON + timedelta(days=day))["value"]
        assert (int(found[-1]) if len(found) else None) == wanted


def test_headlines_are_no_two_words_on_one_thing() -> None:
    frame = pl.DataFrame({"source": ["a", "b"], "native_id": ["1", "1"], "known_at": [NOON, NOON]})
    assert Providers(seen="ab").best(HEADLINES, frame).equals(frame)


def by(source: str) -> Provenance:
    return Provenance("load", source, "simulated", vintages=True)


def append(market: Any, source: str, table: Table, rows: list[dict[str, object]]) -> None:
    told = [row | {"source": source} if "source" in table.names else row for row in rows]
    market.store.append(table, pa.Table.from_pylist(told, schema=table.schema), by(source))


def facts_of(market: Any, first: int, sources: Mapping[str, Sequence[str]]) -> Facts:
    cut = market.cut(market.sessions[first], market.sessions[-1])
    cut = replace(cut, universe=replace(cut.universe, sources=sources))
    return read(market.store, Request(cut, 10))


def closes(facts: Facts, instrument: str = "SIM001") -> dict[Any, float]:
    panel = decision_panel(facts, 10)
    mine = [n for n, name in enumerate(panel.instruments) if name == instrument]
    rows = np.isin(panel.segment, mine) & panel.decided
    return dict(zip(panel.session[rows].tolist(), panel.columns["close"][rows], strict=True))


@pytest.fixture
def two(market: Any) -> Any:
    """Both name the same members, the better one second: its memberships are dropped.

    They disagree on every close of SIM001; the better one lacks place 50, and is late on 52.
    """
    market.list_instruments()
    listed = market.store.read(MEMBERSHIPS, market.close_of(market.sessions[-1]), 99).to_pylist()
    again = [{n: row[n] for n in MEMBERSHIPS.names} for row in listed]
    append(market, OTHER, BARS, market.bars())
    append(market, GOOD, MEMBERSHIPS, again)
    own = [market.bar(0, place, close=float(market.high[0, place])) for place in range(60)]
    own[52] |= {"known_at": market.close_of(market.sessions[54])}
    append(market, GOOD, BARS, own[:50] + own[51:])
    return market


@pytest.mark.integration
@pytest.mark.parametrize("order", [(GOOD, OTHER), (OTHER, GOOD)])
def test_the_universes_order_decides_and_not_the_alphabet(two: Any, order: Any) -> None:
    found = closes(facts_of(two, 45, {"bars": order}))
    better, other = (dict(zip(two.sessions, x[0], strict=True)) for x in (two.high, two.close))
    for place in range(45, 60):
        day = two.sessions[place]
        # Missing or late, the next one's word stands in; decisions keep what they were taken on.
        by_other = order[0] == OTHER or place in {50, 52}
        np.testing.assert_allclose(found[day], (other if by_other else better)[day])


@pytest.mark.integration
def test_a_late_word_of_the_better_one_counts_from_then_on(two: Any) -> None:
    facts = facts_of(two, 53, {"bars": (GOOD, OTHER)})
    panel = decision_panel(facts, 10)
    day = np.datetime64(two.sessions[52])
    mine = [n for n, name in enumerate(panel.instruments) if name == "SIM001"]
    seen = {
        str(panel.session[panel.segment == n][panel.decided[panel.segment == n]][0]): float(
            panel.columns["close"][(panel.segment == n) & (panel.session == day)][0]
        )
        for n in mine
    }
    before, after = str(two.sessions[53]), str(two.sessions[54])
    assert seen == pytest.approx({before: two.close[0, 52], after: two.high[0, 52]})
    newest = newest_panel(facts)
    rows = (newest.segment == newest.instruments.index("SIM001")) & (newest.session == day)
    assert newest.columns["close"][rows] == pytest.approx(two.high[0, 52])


@pytest.mark.integration
def test_a_provider_that_is_not_named_comes_after_those_that_are(two: Any) -> None:
    found = closes(facts_of(two, 45, {"bars": (GOOD,)}))
    assert found[two.sessions[51]] == pytest.approx(two.high[0, 51])
    assert found[two.sessions[50]] == pytest.approx(two.close[0, 50])
    own = closes(facts_of(two, 45, {"bars": (GOOD,)}), "SIM002")
    np.testing.assert_allclose(list(own.values()), two.close[1, 45:])


@pytest.mark.integration
def test_without_an_order_whoever_named_the_members_comes_first(two: Any) -> None:
    named = closes(facts_of(two, 45, {}))
    # The members were named by `simulated`, whose bars there are none; then who loaded first.
    np.testing.assert_allclose(list(named.values()), two.close[0, 45:])
    append(two, "simulated", BARS, [two.bar(0, 58, close=float(two.low[0, 58]))])
    found = closes(facts_of(two, 45, {}))
    assert found[two.sessions[58]] == pytest.approx(two.low[0, 58])
    assert found[two.sessions[57]] == pytest.approx(two.close[0, 57])


@pytest.mark.integration
def test_a_provider_that_named_no_member_fills_what_is_missing(market: Any) -> None:
    market.list_instruments()
    bars = [bar for bar in market.bars() if bar["session"] != market.sessions[57]]
    market.append(BARS, bars)
    append(market, OTHER, BARS, [market.bar(n, 57) for n in range(3)])
    np.testing.assert_allclose(
        list(closes(facts_of(market, 50, {})).values()), market.close[0, 50:]
    )


@pytest.mark.integration
def test_actions_and_observations_follow_the_same_order(two: Any) -> None:
    day = two.sessions[48]
    for source, ratio in ((OTHER, 3.0), (GOOD, 2.0)):
        about = {"instrument_id": "SIM002", "ex_date": day, "kind": "split", "value": ratio}
        append(two, source, ACTIONS, [about | {"known_at": two.close_of(two.sessions[40])}])
        level = {"series": "SIM:INFLATION", "instrument_id": None, "value": ratio}
        level |= {"event_time": two.close_of(two.sessions[30])}
        append(two, source, OBSERVATIONS, [level | {"known_at": two.close_of(two.sessions[40])}])
    for order, ratio in (((GOOD, OTHER), 2.0), ((OTHER, GOOD), 3.0)):
        named = dict.fromkeys(("actions", "observations"), order) | {"bars": (OTHER,)}
        facts = facts_of(two, 45, named)
        assert closes(facts, "SIM002")[two.sessions[45]] == pytest.approx(two.close[1, 45] / ratio)
        panel = decision_panel(facts, 10)
        assert set(panel.columns["inflation"][panel.decided]) == {ratio}


@pytest.mark.integration
def test_nothing_of_two_providers_is_known_before_it_was_told(two: Any) -> None:
    facts = facts_of(two, 45, {"bars": (GOOD, OTHER)})

    def build(known: Facts) -> pl.DataFrame:
        panel = decision_panel(known, 10)
        rows = panel.decided
        names = np.array(panel.instruments, dtype=object)[panel.segment[rows]].tolist()
        close = panel.columns["close"][rows]
        index = panel.columns["index_return"][rows]
        keys = {"instrument_id": pl.Series(names, dtype=pl.String), "as_of": panel.as_of[rows]}
        return pl.DataFrame(keys | {"close": close, "index": index}).sort(KEY)

    refuse_hindsight(build, facts, [two.close_of(two.sessions[n]) for n in (50, 52, 53, 54, 58)])


@pytest.mark.integration
def test_the_newest_minutes_are_the_best_providers(market: Any) -> None:
    market.list_instruments()
    start = session_open("XNYS", market.sessions[-1])
    for source, price, count in ((OTHER, 50.0, 10), (GOOD, 60.0, 8)):
        rows = []
        for minute in range(count):
            closed = start + timedelta(minutes=minute + 1)
            bar = market.bar(0, -1, interval="1m", event_time=closed, known_at=closed)
            bar |= {"start_time": closed - timedelta(minutes=1), "volume": 1.0}
            rows.append(bar | dict.fromkeys(("open", "high", "low", "close"), price))
        append(market, source, BARS, rows)
    as_of, snapshot = start + timedelta(minutes=10), market.store.snapshot()
    for order, wanted in (((GOOD, OTHER), [60.0] * 8 + [50.0] * 2), ((OTHER, GOOD), [50.0] * 10)):
        asked = replace(universe(market.universe), sources={"bars": order})
        found = latest_bars(market.store, asked, as_of, 10, snapshot)
        assert found["close"].to_list() == wanted
