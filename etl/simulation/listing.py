"""Who trades in the simulated market: where, under which name, from when until when.

Of each twenty instruments the last six trade in Mumbai, if the market's calendar is New York's:
their sessions, closes and holidays differ, and so do their market and sector factors. SIM012 is
halted for four sessions and SIM014 delisted, at dates of their own, so that a market of any size
and length holds the same history. Universes on other exchanges belong to the same market.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from contracts.settings import Settings
from contracts.time.calendar import next_session, shift
from contracts.universe import Universe
from etl.simulation.market import Market
from etl.simulation.news import company
from etl.source import Cause, SourceError

_SECOND = {"XNYS": "XNSE"}
_CURRENCIES = {"XNSE": "INR", "XBOM": "INR", "XLON": "GBP", "XTKS": "JPY", "XETR": "EUR"}
_ON_FIRST, _OF = 14, 20
_HALTED = {"SIM012": (date(2024, 3, 11), date(2024, 3, 14))}
_DELISTED = {"SIM014": date(2024, 9, 13)}
_ANNOUNCED_BEFORE = 10  # sessions
_NAME = re.compile(r"SIM(?P<number>[0-9]{3,})(?:\.(?P<calendar>.+))?")
_ELSEWHERE = 130  # companies on


@dataclass(frozen=True)
class Listing:
    """One instrument: its market, and the days on which its trading is interrupted or ended."""

    instrument: str
    name: str
    market: Market

    @property
    def currency(self) -> str:
        """The currency of its prices."""
        return _CURRENCIES.get(self.market.calendar, "USD")

    @property
    def last(self) -> date | None:
        """The last session of an instrument that is delisted some day, else None."""
        return _DELISTED.get(self.instrument)

    @property
    def announced(self) -> date | None:
        """The session at whose close the delisting became known."""
        return self.last and self.market.shift(self.last, -_ANNOUNCED_BEFORE)

    def trades(self, day: date) -> bool:
        """Whether that session of its exchange has a bar of it."""
        begin, end = _HALTED.get(self.instrument, (date.max, date.max))
        return not begin <= day <= end and (self.last is None or day <= self.last)

    def days(self, first: date, last: date) -> range:
        """Places, among the market's days, of its sessions from `first` to `last`."""
        days = self.market.days
        end = min(last, self.last or last)
        start = bisect_left(days, first)
        return range(start, max(start, bisect_right(days, end)))


def exchange(settings: Settings, calendar: str, last: date = date.min) -> Market:
    """The simulated exchange of a calendar; only that of the settings' shares the main streams.

    It goes on to the session `last` if that is later than the settings' end.
    """
    end = max(date.fromisoformat(settings.sim_end), last)
    region = "" if calendar == settings.calendar else calendar
    return Market(settings.sim_seed, calendar, end, settings.sim_noise, region)


def listings(settings: Settings, universe: Universe, last: date = date.min) -> Iterator[Listing]:
    """The universe's symbols, or else SIM001 onwards, on exchanges that go on to `last`.

    SIM001 names the same listing in every universe, SIM001.XLON another one in London. Raises
    SourceError for a name that the market does not know.
    """
    many = range(1, settings.sim_instruments + 1)
    for name in universe.symbols or [f"SIM{number:03}" for number in many]:
        known = _NAME.fullmatch(name)
        if known is None:
            raise SourceError(
                Cause.UNKNOWN,
                f"the simulated market has no {name} ({universe.name}): expected SIM001 and its "
                "like, or SIM001.XLON for one of an exchange by its calendar's name",
            )
        number, calendar = int(known["number"]), known["calendar"]
        home = calendar or _home(settings, number)
        # No company of the main exchange bears the name of one elsewhere.
        title = company(number + (_ELSEWHERE if calendar else 0))
        yield Listing(name, title, exchange(settings, home, last))


def _home(settings: Settings, number: int) -> str:
    on_first = (number - 1) % _OF < _ON_FIRST
    return settings.calendar if on_first else _SECOND.get(settings.calendar, settings.calendar)


def since(calendar: str, first: date, begin: date) -> date:
    """From which date on a request from `first` brings other exchanges' sessions.

    The day after the main exchange's session before, but not before the market's `begin`.
    """
    opening = next_session(calendar, first)
    return max(begin, min(first, shift(calendar, opening, -1) + timedelta(days=1)))
