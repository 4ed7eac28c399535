"""What `exchange_calendars` knows of an exchange, read rightly under the pandas of the lock.

pandas 3.1 calls `_add_datetime` of an offset where it called `_apply`. Offsets of the library that
define the old one fail (Orthodox Easter) or are passed over in silence (Hebrew holidays, weeks with
other trading days). Their methods get the new name here; what such weeks do, which calls the old
name of a class in C, is spelled out as holidays of a week of seven days.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from exchange_calendars import ExchangeCalendar

_ALIASES = {"XNSE": "XBOM"}
_EARLIEST = date(1990, 1, 1)
# Calendars without rules are lists of holidays, published before their year begins. These days
# were added without notice: floods in Mumbai, a temple's consecration, the first weeks of Covid.
_WITHOUT_NOTICE = {
    "XBOM": (date(2005, 7, 28), date(2024, 1, 22)),
    "XSHG": (date(2020, 1, 31),),
}
Hours = tuple[datetime, datetime]


@dataclass(frozen=True, eq=False)
class Exchange:
    """An exchange's sessions as far as they are known.

    zone: its time zone. first, last: the dates between which it is known which days are sessions.
    hours: opening and close (UTC) of each session, in order. unannounced: days without a session
    that nobody could expect to be so.
    """

    zone: str
    first: date
    last: date
    hours: dict[date, Hours]
    unannounced: frozenset[date] = frozenset()

    @cached_property
    def days(self) -> tuple[date, ...]:
        """The sessions, in order."""
        return tuple(self.hours)

    @cached_property
    def place(self) -> dict[date, int]:
        """Each session's place among them."""
        return {day: place for place, day in enumerate(self.days)}

    def usual_hours(self, day: date) -> Hours | None:
        """When a session on that day would open and close: as the longest of the five before.

        The same times of the clock in the exchange's zone; None before any session is known.
        """
        from bisect import bisect_left
        from zoneinfo import ZoneInfo

        end = bisect_left(self.days, day)
        before = self.days[max(0, end - 5) : end] or self.days[:1]
        if not before:
            return None
        model = max(before, key=lambda d: self.hours[d][1] - self.hours[d][0])
        zone, opens, closes = ZoneInfo(self.zone), *self.hours[model]

        def moved(moment: datetime) -> datetime:
            local = moment.astimezone(zone)
            shifted = local.replace(tzinfo=None) + (day - model)
            return shifted.replace(tzinfo=zone).astimezone(moment.tzinfo)

        return moved(opens), moved(closes)


@lru_cache(maxsize=256)
def canonical(name: str) -> str:
    """The name under which a calendar is known: aliases of the library are one calendar."""
    from exchange_calendars import resolve_alias
    from exchange_calendars.errors import InvalidCalendarName

    if name in _ALIASES:
        return name
    try:
        return str(resolve_alias(name))
    except InvalidCalendarName:
        return name


@lru_cache(maxsize=128)  # all that the library knows: each takes a fifth of a second to make
def library_exchange(name: str) -> Exchange | None:
    """The library's exchange of that name from 1990, or where its knowledge begins, on.

    Its knowledge ends where its holidays are listed no further, else a year from today. None for
    a name that it does not know.
    """
    from exchange_calendars.calendar_utils import _default_calendar_factories

    listed = _ALIASES.get(name, name)
    kind = _default_calendar_factories.get(canonical(listed))
    if kind is None:
        return None
    bound = kind.bound_min()
    first = max(_EARLIEST, bound.date()) if bound is not None else _EARLIEST
    last = kind.default_end().date()
    made = _mended(kind)(start=first.isoformat(), end=last.isoformat())
    frame = made.schedule
    opens, closes = frame["open"].dt.to_pydatetime(), frame["close"].dt.to_pydatetime()
    days = [day.date() for day in frame.index]
    hours = dict(zip(days, zip(opens, closes, strict=True), strict=True))
    if made.regular_holidays is None:
        unannounced = frozenset(_WITHOUT_NOTICE.get(listed, ()))
    else:
        unannounced = frozenset(_trading_days(made, made.by_rule, first, last))
    unannounced -= hours.keys()
    return Exchange(str(made.tz), first, last, hours, unannounced)


def _mended(kind: type["ExchangeCalendar"]) -> Any:
    for offset in _offsets():
        offset._add_datetime = vars(offset)["_apply"]
    own: dict[str, Any] = {"by_rule": cached_property(_by_rule)}
    if hasattr(kind, "special_weekmasks"):
        own["day"] = cached_property(_spelled_out)
    return type(kind.__name__, (kind,), own)


def _offsets() -> list[Any]:
    """The offsets that the library defines in the way of pandas before 3.1."""
    from pandas.tseries.offsets import BaseOffset

    found, below = [], [BaseOffset]
    while below:
        below = [kind for parent in below for kind in parent.__subclasses__()]
        found += [kind for kind in below if "_apply" in vars(kind)]
    return found


def _span(made: Any) -> tuple[date, date]:
    # Beyond both ends: the library looks at neighbouring weeks.
    return _EARLIEST - timedelta(days=400), made.default_end().date() + timedelta(days=400)


def _by_rule(made: Any) -> "pd.DatetimeIndex":
    import pandas as pd

    if made.regular_holidays is None:
        return pd.DatetimeIndex([])
    first, last = _span(made)
    found: pd.DatetimeIndex = made.regular_holidays.holidays(f"{first}", f"{last}")
    return found


def _spelled_out(made: Any) -> "pd.offsets.CustomBusinessDay":
    """The week of seven days less all days on which the exchange does not trade."""
    import numpy as np
    import pandas as pd

    first, last = _span(made)
    holidays = made.by_rule.append(pd.DatetimeIndex(list(made.adhoc_holidays)))
    trading = np.array(_trading_days(made, holidays, first, last), "datetime64[D]")
    closed = np.setdiff1d(_every_day(first, last), trading).tolist()
    return pd.offsets.CustomBusinessDay(weekmask="1111111", holidays=closed)


def _trading_days(made: Any, holidays: "pd.DatetimeIndex", first: date, last: date) -> list[date]:
    """Days of the exchange's week, weeks of their own included, that are no holiday."""
    import numpy as np

    days = _every_day(first, last)
    off = holidays.to_numpy().astype("datetime64[D]")
    trading = np.is_busday(days, made.weekmask, off)
    for begin, end, week in getattr(made, "special_weekmasks", ()):
        inside = _between(days, begin, end)
        # As the library walks, such a week is entered by a day on which the plain week trades.
        entered = np.cumsum(trading[inside]) > 0 if begin is not None else True
        trading[inside] = np.is_busday(days[inside], week, off) & entered
    found: list[date] = days[trading].tolist()
    return found


def _every_day(first: date, last: date) -> "np.ndarray[Any, np.dtype[np.datetime64]]":
    import numpy as np

    return np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)


def _between(
    days: "np.ndarray[Any, np.dtype[np.datetime64]]", begin: Any, end: Any
) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    import numpy as np

    inside = np.ones(len(days), bool)
    if begin is not None:
        inside &= days >= begin.to_datetime64()
    if end is not None:
        inside &= days <= end.to_datetime64()
    return inside
