"""Verbs of two universes at the same time, in processes of their own: as one after the other."""

import os
import subprocess
import sys
from typing import Any

import pytest
from market import FLAT, STEEP, Market

from contracts.store import Store

pytestmark = pytest.mark.integration

HERE, THERE = Market(), Market("london8", "XLON", ("SIM001.XLON", "SIM001"))
COLUMNS = "prediction_id, bundle, universe, target, symbol, session, as_of, snapshot, origin"


def started(store: Store, market: Market, *words: str) -> subprocess.Popen[str]:
    about = ("--universe", market.universe, "--snapshot", str(store.snapshot()))
    command = [sys.executable, "-m", *words, *about]
    command += [] if words[0] == "features" else ["--session", str(market.last)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=os.environ, **pipes)


def at_once(*running: subprocess.Popen[str]) -> list[str]:
    """The last lines of what they print."""
    said = [(process.communicate(timeout=300), process.returncode) for process in running]
    assert [code for _, code in said] == [0] * len(running), said
    return [out.strip().splitlines()[-1] for (out, _), _ in said]


def spans(market: Market) -> tuple[str, ...]:
    return ("--first", str(market.sessions[-5]), "--last", str(market.last))


def test_two_universes_and_the_same_twice_disturb_nobody(store: Store) -> None:
    for market, chances in ((HERE, FLAT), (THERE, STEEP)):
        market.load(store)
        market.promote(store, market.champion(market.prior(chances), 1))
    both = (HERE, THERE)
    made = ("features", "materialise", "--view", "daily_0")
    at_once(*(started(store, one, *made, *spans(one)) for one in both * 2))
    twice = [
        started(store, one, "serving", "predict", "--catch-up", "3") for one in both for _ in "ab"
    ]
    told = list(map(int, at_once(*twice)))
    expected = [3 * len(market.symbols) for market in both]
    assert [told[0] + told[1], told[2] + told[3]] == expected, "each row by one of the two"
    rows = store.query(f"SELECT {COLUMNS} FROM predictions").to_pylist()
    assert len(rows) == sum(expected) == len({row["prediction_id"] for row in rows})
    for market in both:
        own = [row for row in rows if row["universe"] == market.universe]
        assert {row["symbol"] for row in own} == set(market.symbols)
        assert {row["session"] for row in own} == set(market.sessions[-3:])
    at_once(*(started(store, one, "monitoring", "settle") for one in both * 2))
    settled = "SELECT prediction_id, count(*) AS n, max(version) AS v FROM outcomes GROUP BY 1"
    found = store.query(settled).to_pylist()
    assert found and all((row["n"], row["v"]) == (1, 1) for row in found)
