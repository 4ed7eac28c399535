"""Who trades in the simulated market: where, under which name, from when until when.

Of each twenty instruments the last six trade in Mumbai, if the market's calendar is New York's:
their sessions, closes and holidays differ, and so do their market and sector factors. SIM012 is
halted for four sessions and SIM014 delisted, at dates of their own, so that a market of any size
and length holds the same history.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from contracts.settings import Settings
from contracts.time.calendar import next_session, shift
from etl.simulation.market import Market
from etl.simulation.news import company

_SECOND = {"XNYS": "XNSE"}
_CURRENCIES = {"XNSE": "INR", "XBOM": "INR"}
_ON_FIRST, _OF = 14, 20
_HALTED = {"SIM012": (date(2024, 3, 11), date(2024, 3, 14))}
_DELISTED = {"SIM014": date(2024, 9, 13)}
_ANNOUNCED_BEFORE = 10  # sessions


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


def markets(settings: Settings, last: date = date.min) -> tuple[Market, Market]:
    """The market of the settings' calendar, and that of the second exchange (or the same).

    Both go on to the session `last` if that is later than the settings' end.
    """
    end = max(date.fromisoformat(settings.sim_end), last)
    main = Market(settings.sim_seed, settings.calendar, end, settings.sim_noise)
    second = _SECOND.get(settings.calendar)
    if second is None:
        return main, main
    return main, Market(settings.sim_seed, second, end, settings.sim_noise, region=second)


def listings(settings: Settings, last: date = date.min) -> Iterator[Listing]:
    """All instruments, SIM001 onwards, of markets that go on to `last`."""
    main, second = markets(settings, last)
    for number in range(1, settings.sim_instruments + 1):
        market = main if (number - 1) % _OF < _ON_FIRST else second
        yield Listing(f"SIM{number:03}", company(number), market)


def since(calendar: str, first: date, begin: date) -> date:
    """From which date on a request from `first` brings other exchanges' sessions.

    The day after the main exchange's session before, but not before the market's `begin`.
    """
    opening = next_session(calendar, first)
    return max(begin, min(first, shift(calendar, opening, -1) + timedelta(days=1)))
