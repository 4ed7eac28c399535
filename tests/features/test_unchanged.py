"""What is computed at a new snapshot: the new session, and what was decided after a restatement."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from contracts.tables import BARS, MEMBERSHIPS
from features.matrix.matrix import online, written
from features.view import view

pytestmark = pytest.mark.integration

DAILY = view("daily_0")


def computed(market: Any) -> set[date]:
    """The sessions whose matrix at the newest snapshot was computed there."""
    market.matrix()
    snapshot = market.store.snapshot()
    found = market.store.query(
        "SELECT session FROM materialisations WHERE snapshot = %s AND path NOT IN "
        "(SELECT path FROM materialisations WHERE snapshot < %s)",
        (snapshot, snapshot),
    )
    return set(found["session"].to_pylist())


def assert_as_if_fresh(market: Any) -> None:
    """Every session's matrix is what is computed from its own last rows at this snapshot."""
    for session in market.sessions[25:]:
        asked = market.store, market.cut(session), DAILY
        assert_frame_equal(written(*asked), online(*asked), rel_tol=1e-6)


def test_a_new_session_computes_only_that_session(market: Any) -> None:
    market.list_instruments()
    last = market.sessions[-1]
    market.append(BARS, [row for row in market.bars() if row["session"] < last])
    assert computed(market) == set(market.sessions)
    market.append(BARS, [row for row in market.bars() if row["session"] == last])
    assert computed(market) == {last}
    assert computed(market) == {last}, "a repeat computes nothing"
    assert_as_if_fresh(market)


def restated_bar(market: Any, place: int) -> None:
    known = market.close_of(market.sessions[place])
    market.append(BARS, [market.bar(0, 30, close=99.0, high=100.0, known_at=known)])


def late_split(market: Any, place: int) -> None:
    known = market.close_of(market.sessions[place])
    market.action("SIM002", 38, "split", 2.0, known_at=known)


def late_headline(market: Any, place: int) -> None:
    market.headline(market.close_of(market.sessions[place]) - timedelta(hours=1), "late", 0.7)


def late_member(market: Any, place: int) -> None:
    span = {"universe": market.universe, "instrument_id": "SIM003"}
    span |= {"valid_from": market.sessions[0], "valid_to": market.sessions[20]}
    market.append(MEMBERSHIPS, [span | {"known_at": market.close_of(market.sessions[place])}])


@pytest.mark.parametrize("fact", [restated_bar, late_split, late_headline, late_member])
def test_a_later_fact_recomputes_what_was_decided_after_it_was_known(
    market: Any, fact: Callable[[Any, int], None]
) -> None:
    market.load()
    market.headline(market.close_of(market.sessions[5]), "early", 0.2)
    before = market.matrix()
    fact(market, 40)
    assert computed(market) == set(market.sessions[40:])
    assert_as_if_fresh(market)
    changed = market.matrix()
    old = pl.col("session") < market.sessions[40]
    assert_frame_equal(changed.filter(old).select(KEPT), before.filter(old).select(KEPT))
    assert not changed.select(KEPT).equals(before.select(KEPT))


KEPT = ["instrument_id", "session", "as_of", *DAILY.features]


def test_what_was_loaded_late_but_known_early_counts_from_then_on(market: Any) -> None:
    market.load()
    market.headline(market.close_of(market.sessions[5]), "early", 0.2)
    market.matrix()
    late_headline(market, 10)
    assert computed(market) == set(market.sessions[10:])
