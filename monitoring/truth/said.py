"""What a bundle said, and of which sessions the truth has come."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from contracts.store import Store
from contracts.tables import PREDICTIONS
from training.objective import Objective

_ROW = ["instrument_id", "as_of"]
_SAID = """
SELECT session, instrument_id, as_of, snapshot, {columns} FROM predictions
WHERE universe = %s AND target = %s AND bundle = %s AND session <= %s
"""
_SETTLED = """
SELECT DISTINCT p.session FROM predictions p
WHERE p.universe = %s AND p.target = %s AND p.bundle = %s AND p.session <= %s
  AND EXISTS (SELECT FROM outcomes o WHERE o.prediction_id = p.prediction_id)
ORDER BY 1
"""


def columns(asked: Objective) -> str:
    """The objective's columns of `predictions`, in SQL."""
    # What has a column of its own is read there: it is no text to be taken apart.
    return ", ".join(
        name if name in PREDICTIONS.names else f"(forecast ->> '{name}')::float8 AS \"{name}\""
        for name in asked.columns
    )


def said(store: Store, where: Sequence[str], asked: Objective, last: date) -> pl.DataFrame:
    """The forecasts of a (universe, target, bundle) up to a session, by session.

    Columns: session, instrument_id, as_of, snapshot, those of the objective.
    """
    statement = _SAID.format(columns=columns(asked))
    return newest(pl.DataFrame(store.query(statement, (*where, last))))


def newest(rows: pl.DataFrame) -> pl.DataFrame:
    """Of the same row the forecast at the newest snapshot, in the order of sessions."""
    last = rows.sort("snapshot").unique(_ROW, keep="last")
    return last.sort("session", *_ROW)


def settled_sessions(store: Store, where: Sequence[str], last: date) -> list[date]:
    """The sessions up to `last` of which a (universe, target, bundle) has settled forecasts."""
    found: list[date] = store.query(_SETTLED, (*where, last))["session"].to_pylist()
    return found
