"""Joining each forecast with its later truth."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from contracts.store import Store
from contracts.tables import OUTCOMES
from contracts.time.calendar import last_sessions, session_close
from monitoring.matrix import matrix
from training.bundle import bundle

# Replays are judged on nine significant digits.
_DIGITS = 9
_ROW = ("instrument_id", "session")
_TRUTH = ("label", "total_return", "delisted", "settled_at")

_ISSUED = """
SELECT prediction_id, bundle, instrument_id, session FROM predictions
WHERE universe = %s AND session BETWEEN %s AND %s
"""
_RECORDED = """
SELECT DISTINCT ON (prediction_id) prediction_id, version, label, total_return, delisted,
  settled_at, outcomes.snapshot
FROM outcomes JOIN predictions USING (prediction_id)
WHERE universe = %s AND session BETWEEN %s AND %s
ORDER BY prediction_id, version DESC
"""


@dataclass(frozen=True)
class Settling:
    """A run: forecasts of the last `sessions` up to `session`, with the truth of its close."""

    universe: str
    calendar: str
    session: date
    snapshot: int
    sessions: int

    @property
    def first(self) -> date:
        """The oldest session whose forecasts are looked at."""
        return last_sessions(self.calendar, self.session, self.sessions)[0]


def settle(store: Store, run: Settling, now: datetime) -> int:
    """Record the truth of forecasts whose label has matured; returns the rows added.

    A truth that differs from the one recorded is a new version. One recorded at a later snapshot
    knows better and is left alone.
    """
    settled = list(_settled(store, run))
    if not settled:
        return 0
    fresh = _unrecorded(pl.concat(settled), _rows(store, _RECORDED, run), run.snapshot)
    stamped = fresh.with_columns(
        pl.lit(run.snapshot, pl.Int64).alias("snapshot"), pl.lit(now).alias("recorded_at")
    )
    return store.record(OUTCOMES, stamped.select(OUTCOMES.names).to_arrow())


def _settled(store: Store, run: Settling) -> Iterator[pl.DataFrame]:
    close = session_close(run.calendar, run.session)
    for (name,), issued in _rows(store, _ISSUED, run).group_by("bundle"):
        manifest = bundle.load(str(name)).manifest
        days = (run.first, run.session)
        truth = pl.DataFrame(matrix(store, manifest, run.universe, days, run.snapshot))
        matured = truth.select(*_ROW, *_TRUTH).filter(pl.col("settled_at") <= close)
        yield issued.join(matured, on=_ROW).select("prediction_id", *_TRUTH)


def _rows(store: Store, statement: str, run: Settling) -> pl.DataFrame:
    return pl.DataFrame(store.query(statement, (run.universe, run.first, run.session)))


def _unrecorded(settled: pl.DataFrame, recorded: pl.DataFrame, snapshot: int) -> pl.DataFrame:
    both = settled.join(recorded, on="prediction_id", how="left", suffix="_before")
    changed = pl.any_horizontal(_value(n).ne_missing(_value(f"{n}_before")) for n in _TRUTH)
    newer = pl.col("snapshot").is_null() | (pl.col("snapshot") <= snapshot)
    return both.filter(changed & newer).select(
        "prediction_id", *_TRUTH, (pl.col("version").fill_null(0) + 1).alias("version")
    )


def _value(name: str) -> pl.Expr:
    column = pl.col(name)
    return column.round_sig_figs(_DIGITS) if name.startswith("total_return") else column
