"""The minutes of sessions whose daily bar leaves a label open, where the store has some."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl

from contracts.store import Store
from contracts.tables import BARS
from features.facts.facts import Facts, told_best
from features.facts.panels import newest_panel
from features.panel.panel import Inside, Panel
from features.panel.series import Whole

_KEY = ["instrument_id", "session"]
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Minutes:
    """One-minute bars of some sessions, every version known at the facts' end."""

    facts: Facts
    bars: pl.DataFrame

    @classmethod
    def read(cls, store: Store, facts: Facts, snapshot: int, sessions: Sequence[date]) -> "Minutes":
        """Those of the facts' instruments; sessions: at least one."""
        ids = sorted(facts.members["instrument_id"].unique())
        where: dict[str, object] = {"interval": "1m", "instrument_id": ids, "session": sessions}
        # Times let the planner leave partitions out.
        since = datetime.combine(min(sessions), time(), UTC) - timedelta(days=2)
        where["event_time"] = (since, facts.end)
        found = pl.from_arrow(store.versions(BARS, facts.end, snapshot, where))
        assert isinstance(found, pl.DataFrame)
        best = told_best(facts.providers, found)
        return cls(facts, best.sort(*_KEY, "start_time", "known_at", maintain_order=True))

    def told_by_the_close(self) -> "Minutes":
        """Those that were known when their session's bar was."""
        closes = self.facts.bars.group_by(_KEY).agg(close_known=pl.col("event_time").min())
        both = self.bars.join(closes, on=_KEY, maintain_order="left")
        known = both.filter(pl.col("known_at") <= pl.col("close_known"))
        return replace(self, bars=known.drop("close_known"))

    def beside(self, panel: Panel, rows: Whole) -> Panel:
        """The panel with the minutes of those rows inside of them."""
        if not len(self.bars) or not len(rows):
            return panel
        minutes = newest_panel(replace(self.facts.prices, bars=self.bars))
        wanted = _named(panel, rows, "row")
        own = _named(minutes, np.arange(len(minutes.session)), "minute")
        found = wanted.join(own, on=_KEY).sort("row", "minute")
        row, minute = found["row"].to_numpy(), found["minute"].to_numpy()
        prices = np.stack([minutes.columns[name][minute] for name in _PRICES])
        if panel.shares is not None and minutes.shares is not None:
            prices = prices * (minutes.shares[minute] / panel.shares[row])
        counts = np.bincount(row, minlength=len(panel.session))
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return replace(panel, inside=Inside(offsets, np.ascontiguousarray(prices)))


def _named(panel: Panel, rows: Whole, place: str) -> pl.DataFrame:
    names = pl.Series(panel.instruments, dtype=pl.String).gather(panel.segment[rows])
    return pl.DataFrame({"instrument_id": names, "session": panel.session[rows], place: rows})
