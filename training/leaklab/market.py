"""A market in memory in which all goes wrong that can: what leaks are planted in.

Four instruments over 90 sessions: a bar of SIM001 is restated, a split of SIM002 is told late,
SIM003 is delisted, SIM004 joins the universe late; news become known hours or days after they
happened. The sessions around SIM003's end are there in minutes, too. And a matrix of made-up
features that foretell labels of a horizon of five sessions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from contracts.tables import ACTIONS, BARS, MEMBERSHIPS, SYMBOLS
from contracts.time.calendar import last_sessions, session_close
from features.facts.facts import PRICES, Facts
from features.facts.panels import newest_panel
from features.input import INPUTS, Known, Sample
from features.panel.panel import Panel

CALENDAR, LAST, UNIVERSE = "XNYS", date(2025, 6, 30), "lab"
ROWS, LATE_SPLIT, RESTATED, GONE, JOINED = 90, 55, 50, 60, 70
HORIZON = 5
FEATURES = ("momentum", "volatility", "mood")


@dataclass(frozen=True)
class Lab:
    """One seed, one market."""

    seed: int = 7

    @cached_property
    def sessions(self) -> Sequence[date]:
        """The sessions of the facts."""
        return last_sessions(CALENDAR, LAST, ROWS)

    def close_of(self, place: int) -> datetime:
        """The close of a session by its place."""
        return session_close(CALENDAR, self.sessions[place])

    @property
    def moments(self) -> list[datetime]:
        """Closes at which decisions are rebuilt."""
        return [
            self.close_of(place) for place in (45, RESTATED, LATE_SPLIT, GONE - 2, JOINED - 1, 80)
        ]

    @cached_property
    def facts(self) -> Facts:
        """All versions of all facts."""
        return Facts(
            first=self.sessions[30],
            end=self.close_of(-1),
            members=self._members(),
            symbols=self._symbols(),
            bars=self._bars(),
            actions=self._actions(),
            interval="1d",
            known=self._known(),
        )

    @cached_property
    def panel(self) -> Panel:
        """The panel as it is known at the end."""
        return newest_panel(self.facts)

    @cached_property
    def minutes(self) -> Panel:
        """The sessions around the end of SIM003, in minutes, as they are known at the end."""
        days = self.sessions[GONE - 3 : GONE + 2]
        rows = [bar for bar in self.facts.bars.iter_rows(named=True) if bar["session"] in days]
        bars = [one for row in rows if row["instrument_id"] in MINUTELY for one in _minutes(row)]
        facts = replace(self.facts, first=days[0], bars=_frame(bars, BARS.schema), interval="1m")
        return newest_panel(facts.prices)

    @cached_property
    def matrix(self) -> pa.Table:
        """Labels of HORIZON sessions that `mood` moves, 6 instruments and 160 sessions."""
        random = np.random.default_rng(self.seed)
        days, count = last_sessions(CALENDAR, LAST, 160 + HORIZON), 6
        closes = np.array(
            [session_close(CALENDAR, day).replace(tzinfo=None) for day in days], "datetime64[us]"
        )
        utc, shape = pa.timestamp("us", "UTC"), (160, count)
        scale = {"momentum": 0.03, "volatility": 0.01, "mood": 0.5}
        values = {n: (scale[n] * random.normal(size=shape)).astype(np.float32) for n in FEATURES}
        latent = 2.0 * values["mood"] + random.normal(size=shape)
        rows = {
            "instrument_id": [f"SIM{i + 1:03}" for i in range(count)] * 160,
            "symbol": [f"SIM{i + 1:03}" for i in range(count)] * 160,
            "session": np.repeat(np.array(days[:160], "datetime64[D]"), count),
            "as_of": pa.array(np.repeat(closes[:160], count)).cast(utc),
            **{name: column.ravel() for name, column in values.items()},
            "label": np.digitize(latent, (-0.5, 0.5)).ravel(),
            "settled_at": pa.array(np.repeat(closes[HORIZON:], count)).cast(utc),
            "total_return": latent.ravel() / 100,
            "delisted": np.zeros(latent.size, bool),
            "ambiguous": np.zeros(latent.size, bool),
            "persistence": np.ones(latent.size),
            "return_before": values["momentum"].ravel().astype(np.float64),
        }
        return pa.table(rows)

    def _known(self) -> dict[str, Known]:
        """What inputs make up, and news that become known hours or days late."""
        closes = np.array([self.close_of(j).replace(tzinfo=None) for j in range(ROWS)])
        days = np.array(self.sessions, "datetime64[D]")
        made = Sample(NAMES, CALENDAR, days, closes.astype("datetime64[us]"), self.seed)
        found = {
            one.name: one.sample.facts(made) if one.sample.facts else {}
            for one in INPUTS
            if one.name not in PRICES
        }
        return found | {"news": {"news": self._news()}}

    def _members(self) -> pl.DataFrame:
        rows = []
        for name, joined, known in zip(NAMES, (0, 0, 0, JOINED), (0, 0, 0, JOINED), strict=True):
            span = {"valid_from": self.sessions[joined], "valid_to": None}
            rows.append(self._listed(name, known) | span)
        ended = {"valid_from": self.sessions[0], "valid_to": self.sessions[GONE]}
        rows.append(self._listed("SIM003", GONE) | ended)
        return _frame(rows, MEMBERSHIPS.schema).with_columns(calendar=pl.lit(CALENDAR))

    def _symbols(self) -> pl.DataFrame:
        gone = {"SIM003": self.sessions[GONE]}
        rows = [
            self._listed(name, GONE if name in gone else 0)
            | {"symbol": name, "valid_from": self.sessions[0], "valid_to": gone.get(name)}
            for name in NAMES
        ]
        return _frame(rows, SYMBOLS.schema)

    def _listed(self, name: str, known: int) -> dict[str, object]:
        return {"instrument_id": name, "universe": UNIVERSE, "known_at": self.close_of(known)}

    def _bars(self) -> pl.DataFrame:
        random = np.random.default_rng(self.seed)
        close = 40 * np.exp(np.cumsum(random.normal(0, 0.02, (len(NAMES), ROWS)), axis=1))
        close[1, LATE_SPLIT:] /= 2
        wide = 1 + 0.01 * random.random((2, *close.shape))
        high, low = close * wide[0], close / wide[1]
        opened = low + (high - low) * random.random(close.shape)
        volume = random.integers(1_000, 9_000, close.shape)
        rows = []
        for i, name in enumerate(NAMES):
            for j in range(GONE + 1 if name == "SIM003" else ROWS):
                at = self.close_of(j)
                prices = {
                    "open": opened,
                    "high": high,
                    "low": low,
                    "close": close,
                    "volume": volume,
                }
                bar: dict[str, object] = {n: float(x[i, j]) for n, x in prices.items()}
                bar |= {"instrument_id": name, "interval": "1d", "session": self.sessions[j]}
                bar |= {"event_time": at, "source": "simulated", "adjustment": "none"}
                if (i, j) == (0, RESTATED):
                    rows.append(bar | {"known_at": at, "close": bar["low"]})
                    at = self.close_of(j + 2)
                rows.append(bar | {"known_at": at})
        return _frame(rows, BARS.schema)

    def _actions(self) -> pl.DataFrame:
        split = {"instrument_id": "SIM002", "ex_date": self.sessions[LATE_SPLIT], "kind": "split"}
        split |= {"value": 2.0, "source": "simulated", "known_at": self.close_of(LATE_SPLIT + 2)}
        return _frame([split], ACTIONS.schema)

    def _news(self) -> pl.DataFrame:
        random = np.random.default_rng(self.seed)
        rows = []
        for name in NAMES:
            for j in range(ROWS - 4):
                happened = self.close_of(j) - timedelta(hours=1)
                late = (timedelta(), timedelta(hours=3), timedelta(days=3))[random.integers(3)]
                row = {"instrument_id": name, "known_at": happened + late, "happened": happened}
                rows.append(row | {"tone": float(random.uniform(-1, 1))})
        return pl.DataFrame(rows).sort("known_at")


NAMES = ("SIM001", "SIM002", "SIM003", "SIM004")
DELISTED = "SIM003"
MINUTELY = ("SIM001", DELISTED)


def _minutes(bar: dict[str, Any]) -> list[dict[str, Any]]:
    starts = [bar["event_time"] - timedelta(minutes=back) for back in range(20, 0, -1)]
    times = [{"start_time": at, "event_time": at + timedelta(minutes=1)} for at in starts]
    return [bar | at | {"interval": "1m", "known_at": at["event_time"]} for at in times]


def _frame(rows: list[dict[str, object]], schema: pa.Schema) -> pl.DataFrame:
    frame = pl.from_arrow(pa.Table.from_pylist(rows, schema=schema))
    assert isinstance(frame, pl.DataFrame)
    return frame
