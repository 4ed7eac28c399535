"""When an instrument was no longer traded, as it was certain at the time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from contracts.time import calendar

NEVER = np.datetime64("NaT", "us")
_WEEKS = timedelta(days=21)  # no exchange closes for longer


@dataclass(frozen=True)
class Life:
    """Bars in all versions, and by instrument the spans of its symbols and its calendar."""

    bars: pl.DataFrame
    symbols: Mapping[str, pl.DataFrame]
    calendars: Mapping[str, str]
    _own: dict[str, pl.DataFrame] = field(default_factory=dict)

    def ended(self, instrument: str, last: np.datetime64, until: datetime) -> np.datetime64:
        """When the delisting was certain, if it was before `until`; else NaT.

        last: the last session of the segment that asks. A segment is not the instrument's life: a
        session of minutes ends and another one follows; only the last of all ends for good.
        """
        symbols = self.symbols.get(instrument)
        if symbols is None or symbols["valid_to"].null_count():
            return NEVER
        certain = _certain(self.calendars[instrument], symbols)
        if certain is None or certain >= until or self._goes_on(instrument, last, until):
            return NEVER
        return np.datetime64(certain.replace(tzinfo=None), "us")

    def _goes_on(self, instrument: str, last: np.datetime64, until: datetime) -> bool:
        if instrument not in self._own:
            own = self.bars.filter(pl.col("instrument_id") == instrument)
            self._own[instrument] = own.group_by("session").agg(pl.col("known_at").min())
        later = pl.col("session") > pl.lit(last.item())
        return bool(len(self._own[instrument].filter(later, pl.col("known_at") < until)))


def _certain(name: str, symbols: pl.DataFrame) -> datetime | None:
    last, told = symbols["valid_to"].max(), symbols["known_at"].max()
    assert isinstance(last, date) and isinstance(told, datetime)
    if last > calendar.known(name)[1]:
        return None
    closed = calendar.session_close(name, calendar.sessions(name, last - _WEEKS, last)[-1])
    return max(closed, told.astimezone(UTC))
