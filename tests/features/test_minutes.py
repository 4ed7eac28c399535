"""Minute bars through the same engine, and the newest complete ones."""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from contracts.tables import BARS
from contracts.time.calendar import session_open
from features.__main__ import app
from features.facts.latest import latest_bars
from features.matrix.matrix import load_matrix, materialise
from features.view import view

pytestmark = pytest.mark.integration

RUNNER = CliRunner()
COUNT = 100


@pytest.fixture
def minutes(market: Any) -> Any:
    """Two sessions of a hundred minutes each, known at their ends; SIM003 stops after 70."""
    market.load()
    draw = np.random.default_rng(2)
    rows = []
    for place in (-2, -1):
        start = session_open("XNYS", market.sessions[place])
        for instrument in range(3):
            price = 50.0 + instrument
            for minute in range(70 if instrument == 2 and place == -1 else COUNT):
                price *= float(np.exp(draw.normal(0, 0.001)))
                closed = start + timedelta(minutes=minute + 1)
                bar = market.bar(instrument, place, interval="1m", event_time=closed)
                bar |= {"start_time": closed - timedelta(minutes=1), "known_at": closed}
                bar |= {"open": price, "high": price * 1.001, "low": price * 0.999, "close": price}
                rows.append(bar | {"volume": 100.0 + minute})
    market.append(BARS, rows)
    return market


def test_the_last_sixty_complete_bars_and_never_the_forming_one(minutes: Any) -> None:
    start = session_open("XNYS", minutes.sessions[-1])
    as_of = start + timedelta(minutes=80, seconds=30)
    snapshot = minutes.store.snapshot()
    found = latest_bars(minutes.store, minutes.universe, as_of, 60, snapshot)
    assert found.group_by("instrument_id").len()["len"].to_list() == [60, 60, 60]
    newest = found.group_by("instrument_id").agg(pl.col("event_time").max()).sort("instrument_id")
    wanted = [start + timedelta(minutes=m) for m in (80, 80, 70)]
    assert newest["event_time"].to_list() == wanted
    own = found.filter(instrument_id="SIM001")["event_time"].to_list()
    assert own == [start + timedelta(minutes=m) for m in range(21, 81)]
    # Early in a session the bars of the one before fill up, across the weekend.
    early = latest_bars(minutes.store, minutes.universe, start + timedelta(minutes=2), 60, snapshot)
    assert len(early) == 180 and early["session"].n_unique() == 2


def test_the_verb_prints_them(minutes: Any) -> None:
    as_of = (session_open("XNYS", minutes.sessions[-1]) + timedelta(minutes=80)).isoformat()
    words = ["latest", "--universe", minutes.universe]
    done = RUNNER.invoke(app, [*words, "--as-of", as_of])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == f"3 instruments with 60 complete bars at {as_of}"
    assert RUNNER.invoke(app, [*words, "--as-of", "2025-06-30 15:00"]).exit_code == 2


def test_a_minute_view_looks_at_sixty_minutes_of_its_session(minutes: Any) -> None:
    one = view("minute_2")
    asked = minutes.store, minutes.cut(*minutes.sessions[-2:]), one
    assert materialise(*asked) == 2
    found = pl.from_arrow(load_matrix(*asked))
    assert isinstance(found, pl.DataFrame)
    assert len(found) == 5 * COUNT + 70
    own = found.filter(instrument_id="SIM001", session=minutes.sessions[-1]).sort("as_of")
    assert own["mean_60"].null_count() == 59  # nothing of the session before
    assert own["minute_of_hour"].to_list()[:31] == [*range(31, 60), 0, 1]
    # Settled fifteen minutes later, in the same session; the last ones never.
    label = own["label"].to_list()
    assert label[30:-15] and None not in label[30:-15] and set(label[-15:]) == {None}
    ahead = own["settled_at"] - own["as_of"]
    assert set(ahead.drop_nulls().dt.total_minutes()) == {15}
