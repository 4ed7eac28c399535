"""A seeded panel, and a small market whose facts a test writes by hand."""

import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from contracts.cut import Cut
from contracts.store import Provenance, Store
from contracts.table import Table
from contracts.tables import (
    ACTIONS,
    BARS,
    HEADLINE_SYMBOLS,
    HEADLINES,
    INSTRUMENTS,
    MEMBERSHIPS,
    SENTIMENTS,
    SYMBOLS,
)
from contracts.time.calendar import last_sessions, session_close
from contracts.universe import universe
from features.guards.trial import CALENDAR, LAST, trial_panel
from features.matrix.matrix import load_matrix
from features.panel.panel import Panel
from features.view import view

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

ORIGIN = Provenance("load", "simulated", "simulated", vintages=True)


@pytest.fixture
def panel() -> Panel:
    """The seeded panel."""
    return trial_panel()


@pytest.fixture
def make_panel() -> Callable[..., Panel]:
    """Seeded panels of other sizes."""
    return trial_panel


class Market:
    """Facts of a few instruments in a real store, known at their closes unless told otherwise."""

    universe = "sim3"

    def __init__(self, store: Store, count: int = 3, rows: int = 60) -> None:
        self.store = store
        self.sessions: Sequence[date] = last_sessions(CALENDAR, LAST, rows)
        self.instruments = [f"SIM{i + 1:03}" for i in range(count)]
        draw = np.random.default_rng(11)
        close = 40 * np.exp(np.cumsum(draw.normal(0, 0.02, (count, rows)), axis=1))
        wide = 1 + 0.02 * draw.random((2, count, rows))
        self.close, self.high, self.low = close, close * wide[0], close / wide[1]
        self.open = self.low + (self.high - self.low) * draw.random((count, rows))
        self.volume = draw.integers(1_000, 9_000, (count, rows)).astype(float)

    def close_of(self, session: date) -> datetime:
        return session_close(CALENDAR, session)

    def append(self, table: Table, rows: list[dict[str, object]]) -> None:
        self.store.append(table, pa.Table.from_pylist(rows, schema=table.schema), ORIGIN)

    def list_instruments(self) -> None:
        span = {"valid_from": self.sessions[0], "valid_to": None}
        known = {"known_at": self.close_of(self.sessions[0])}
        kind = {"calendar": CALENDAR, "currency": "USD", "asset_class": "equity", "name": "x"}
        rows = [{"instrument_id": i} | known for i in self.instruments]
        self.append(INSTRUMENTS, [row | kind for row in rows])
        self.append(SYMBOLS, [row | span | {"symbol": row["instrument_id"]} for row in rows])
        self.append(MEMBERSHIPS, [row | span | {"universe": self.universe} for row in rows])

    def bar(self, instrument: int, place: int, **change: object) -> dict[str, object]:
        day = self.sessions[place]
        prices = {n: float(getattr(self, n)[instrument, place]) for n in ("open", "high", "low")}
        return {
            "instrument_id": self.instruments[instrument],
            "interval": "1d",
            "session": day,
            "start_time": None,
            "event_time": self.close_of(day),
            "source": "simulated",
            **prices,
            "close": float(self.close[instrument, place]),
            "volume": float(self.volume[instrument, place]),
            "adjustment": "none",
            "known_at": self.close_of(day),
        } | change

    def bars(self) -> list[dict[str, object]]:
        return [
            self.bar(i, j) for i in range(len(self.instruments)) for j in range(len(self.sessions))
        ]

    def load(self) -> "Market":
        """Append the listings and all bars."""
        self.list_instruments()
        self.append(BARS, self.bars())
        return self

    def action(self, instrument: str, ex: int, kind: str, value: float, **change: object) -> None:
        """Append a split or dividend, declared five sessions before."""
        known = {"known_at": self.close_of(self.sessions[ex - 5]), "source": "simulated"}
        about = {"instrument_id": instrument, "ex_date": self.sessions[ex]}
        self.append(ACTIONS, [about | known | {"kind": kind, "value": value} | change])

    def headline(
        self, at: datetime, text: str, tone: float | None, known_at: datetime | None = None
    ) -> None:
        """Append a headline about SIM001, with its sentiment unless that is None."""
        row = {"source": "simulated", "native_id": text, "event_time": at}
        row |= {"known_at": known_at or at}
        self.append(HEADLINES, [row | {"text": text, "text_hash": text, "url": None}])
        self.append(HEADLINE_SYMBOLS, [row | {"instrument_id": "SIM001"}])
        if tone is not None:
            self.score(text, tone, at)

    def score(self, text: str, tone: float, at: datetime, version: str = "m-1") -> None:
        """Record a sentiment."""
        row = {"text_hash": text, "model_version": version, "scored_at": at}
        row |= {"p_negative": 0.5 - tone / 2, "p_neutral": 0.0, "p_positive": 0.5 + tone / 2}
        self.store.record(SENTIMENTS, pa.Table.from_pylist([row], schema=SENTIMENTS.schema))

    text_model = "m-1"

    def cut(self, first: date, last: date | None = None, snapshot: int = 0) -> Cut:
        """Sessions of this market at a snapshot, by default the newest."""
        pinned = snapshot or self.store.snapshot()
        return Cut(universe(self.universe), first, last or first, pinned)

    def matrix(self, first: int = 0, last: int = -1, snapshot: int = 0) -> pl.DataFrame:
        """Materialise and load `daily_0` for the sessions between two places."""
        cut = self.cut(self.sessions[first], self.sessions[last], snapshot)
        frame = pl.from_arrow(
            load_matrix(self.store, cut, view("daily_0"), self.text_model, missing="write")
        )
        assert isinstance(frame, pl.DataFrame)
        return frame

    def one(self, instrument: str, **asked: int) -> pl.DataFrame:
        """One instrument's rows of a matrix."""
        return self.matrix(**asked).filter(instrument_id=instrument)


@pytest.fixture
def market(store: Store) -> Market:
    """Three instruments over sixty sessions; nothing is appended yet."""
    return Market(store)
