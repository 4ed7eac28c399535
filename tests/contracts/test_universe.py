"""Universes: declared ones, those that the settings describe, and what every member must hold."""

import re
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from contracts.__main__ import app
from contracts.settings import settings
from contracts.tables import TABLES
from contracts.time.calendar import known
from contracts.universe import (
    UNIVERSES,
    Universe,
    UniverseError,
    declare,
    everything,
    universe,
)
from etl.source import SOURCES


@pytest.fixture
def london(declared: Callable[[Universe], Universe]) -> Universe:
    """A universe of another exchange than the settings'."""
    sources = everything("files", "yahoo")
    return declared(Universe("elsewhere", "XLON", "GBP", ("AAA", "BBB"), sources))


@pytest.mark.parametrize("name", UNIVERSES.names())
def test_every_member_can_be_asked_for(name: str) -> None:
    """The conformance suite of universes."""
    one = UNIVERSES.get(name)
    assert one.name == name and re.fullmatch(r"[a-z][a-z0-9_]*", name)
    known(one.calendar)
    assert re.fullmatch(r"[A-Z]{3}", one.currency)
    assert len(set(one.symbols)) == len(one.symbols)
    assert one.sources, "at least one table has a source"
    for table, sources in one.sources.items():
        assert TABLES[table].kind == "fact" and sources
        for source in sources:
            assert SOURCES.get(source).name == source
    best = one.source()
    assert best is not None and "bars" in SOURCES.get(best).tables


def test_what_nobody_declared_is_as_the_settings_describe_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert universe() == universe("sim20")
    assert (universe().calendar, universe().source()) == ("XNYS", "simulated")
    assert universe().symbols == (), "all that the source brings"
    monkeypatch.setenv("FINPULSE_SOURCE", "files")
    monkeypatch.setenv("FINPULSE_UNIVERSE", "mine")
    monkeypatch.setenv("FINPULSE_CALENDAR", "XNSE")
    settings.cache_clear()
    mine = universe()
    assert (mine.name, mine.calendar, mine.source("headlines")) == ("mine", "XNSE", "files")
    other = universe("another")
    assert (other.name, other.calendar, other.source()) == ("another", "XNSE", None)


def test_a_declared_universe_keeps_its_calendar_whatever_the_settings_say(
    london: Universe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINPULSE_CALENDAR", "XNSE")
    settings.cache_clear()
    assert universe("elsewhere") is london
    assert london.sources["bars"] == ("files", "yahoo") and london.source("bars") == "files"


def test_two_universes_of_one_name_are_told(london: Universe) -> None:
    with pytest.raises(ValueError, match="two universes are named 'elsewhere'"):
        declare(london)


def test_ranges_are_of_the_universes_sessions(london: Universe) -> None:
    # On 19 June 2025 New York rested and London did not.
    words = ["ranges", "--first", "2025-06-18", "--last", "2025-06-20", "--sessions", "1"]
    days = {
        name: CliRunner().invoke(app, [*words, "--universe", name]).output.count("first")
        for name in ("sim20", london.name)
    }
    assert days == {"sim20": 2, "elsewhere": 3}


ODD = ["two words", "../up", "a/b", "*", "100%", "o'clock", 'say"so"', "größe", ".hidden", "-x"]


@pytest.mark.parametrize("name", [*ODD, "a\nb", "end\n", "x" * 101, "models:/m"])
def test_a_name_that_is_none_is_refused_in_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UniverseError, match="expected a universe's name"):
        universe(name)
    monkeypatch.setenv("FINPULSE_UNIVERSE", name)
    settings.cache_clear()
    with pytest.raises(UniverseError, match="expected a universe's name"):
        universe()


@pytest.mark.parametrize("name", ["NIFTY50", "sp.500", "0", "a-b_c", "x" * 100])
def test_other_names_are_taken_as_they_are(name: str) -> None:
    assert universe(name).name == name


def test_a_universe_can_be_a_key(london: Universe) -> None:
    assert len({london, london, universe()}) == 2
