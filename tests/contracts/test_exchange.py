"""Every calendar of the library against counts made where the library works as written."""

import json
from pathlib import Path
from typing import Any

import pytest
from calendar_sessions import counted
from exchange_calendars import get_calendar_names

from contracts.time.exchange import canonical, library_exchange

COUNTS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "calendar_sessions.json").read_text()
)
# Wrong or impossible under pandas 3.1 unless mended, and those that begin or end somewhere.
DELICATE = ("ASEX", "XBEL", "XBSE", "XCYS", "XTAE", "XBOM", "XKRX", "XMOS")
BOUNDED = ("XTKS", "XSHG", "XSAU", "AIXK", "XSES", "XHKG")
QUICK = {*DELICATE, *BOUNDED, "XNYS", "XLON", "CMES", "24/7", "24/5"}
ALL = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in sorted(COUNTS)
]


def test_the_list_names_every_calendar_of_the_library() -> None:
    assert set(COUNTS) == set(get_calendar_names(include_aliases=False))
    assert sum(COUNTS["XBOM"]["years"].values()) == 7419


@pytest.mark.parametrize("name", ALL)
def test_sessions_and_hours_are_those_of_the_list(name: str) -> None:
    found = library_exchange(name)
    assert found is not None
    assert counted((day, *hours) for day, hours in found.hours.items()) == COUNTS[name]
    assert found.first <= found.days[0] and found.days[-1] <= found.last
    assert not found.unannounced & found.hours.keys()


def test_aliases_of_the_library_are_one_calendar_and_mumbai_has_two() -> None:
    assert canonical("NYSE") == "XNYS" and canonical("XNSE") == "XNSE" and canonical("?") == "?"
    one, other = library_exchange("XNSE"), library_exchange("XBOM")
    assert one and other and one.hours == other.hours


def test_nobody_knows_a_calendar_of_another_name() -> None:
    assert library_exchange("MCX") is None
