"""The champion's forecasts of whole sessions, written once into the ledger."""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.champion import Champion
from contracts.cut import Cut
from contracts.store import Store
from contracts.tables import PREDICTIONS
from contracts.time.calendar import session_close
from training.bundle.bundle import Bundle
from training.bundle.history import History, lookback

_CHANCES = ("p_down", "p_neutral", "p_up")


def predict(store: Store, champion: Champion, bundle: Bundle, cut: Cut, now: datetime) -> int:
    """Record the champion's forecasts of the cut's sessions that have none; returns their number.

    Those before the last were missed: they are backfilled. A forecast that was issued stays as it
    was: a session is never forecast twice by one bundle. Sessions whose truth the bundle was
    trained on are left out: they would be no forecasts. Raises BundleError for another view, or
    for values of another unit than those of the training.
    """
    done = _done(store, bundle.hash, cut)
    missed = [day for day in _sessions(store, bundle, cut) if day not in done]
    if not missed:
        return 0
    matrix = _matrix(store, bundle, cut, missed)
    forecast = _forecast(matrix, bundle, missed)
    return store.record(PREDICTIONS, _rows(forecast, champion, bundle, cut, now))


def _sessions(store: Store, bundle: Bundle, cut: Cut) -> Sequence[date]:
    from features.matrix.receipts import first_session

    manifest = bundle.manifest
    first = first_session(store, cut.universe.name, manifest.view_hash)
    return [
        day
        for day in cut.sessions
        if session_close(cut.universe.calendar, day) >= manifest.as_of
        # Before its first matrix the universe had no history to make features of.
        and (day == cut.last or (first is not None and day >= first))
    ]


def _done(store: Store, bundle: str, cut: Cut) -> set[date]:
    rows = store.query(
        "SELECT DISTINCT session FROM predictions WHERE bundle = %s AND session <= %s",
        (bundle, cut.last),
    )
    return set(rows["session"].to_pylist())


def _matrix(store: Store, bundle: Bundle, cut: Cut, sessions: Sequence[date]) -> pa.Table:
    from features.matrix.matrix import load_matrix
    from features.view import view

    bundle.require_view()
    # The sessions before are there for the first one's window to look back on.
    first = min(sessions) - lookback(bundle.manifest.window)
    asked = cut.since(first).until(max(sessions))
    return load_matrix(store, asked, view(bundle.manifest.view), missing="write")


def _forecast(matrix: pa.Table, bundle: Bundle, sessions: Sequence[date]) -> pa.Table:
    """The rows of those sessions with their forecasts and signals."""
    whole = matrix.sort_by([("instrument_id", "ascending"), ("session", "ascending")])
    values = [whole[name].to_numpy() for name in bundle.manifest.features]
    history = History.of(
        np.array(whole["instrument_id"].to_pylist(), dtype=np.str_),
        whole["session"].to_numpy(),
        np.column_stack(values).astype(np.float32),
    )
    rows = np.flatnonzero(pc.is_in(whole["session"], pa.array(sessions, pa.date32())).to_numpy())
    windows = history.windows(rows, bundle.manifest.window)
    bundle.require_units(windows)
    chances = bundle.forecast(windows)
    known = whole.select(["instrument_id", "symbol", "session", "as_of"]).take(pa.array(rows))
    columns = {name: chances[:, place] for place, name in enumerate(_CHANCES)}
    for name, column in (columns | {"signal": bundle.signals(chances)}).items():
        known = known.append_column(name, pa.array(column))
    return known


def prediction_id(
    bundle: str, instrument: str, horizon: int, as_of: datetime, snapshot: int
) -> str:
    """The same for the same key of `predictions`, so that a repeat names the same row."""
    key = "|".join((bundle, instrument, str(horizon), as_of.isoformat(), str(snapshot)))
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _rows(
    forecast: pa.Table, champion: Champion, bundle: Bundle, cut: Cut, now: datetime
) -> pa.Table:
    horizon = bundle.manifest.horizon
    return pa.Table.from_pylist(
        [
            row
            | {
                "prediction_id": prediction_id(
                    bundle.hash, row["instrument_id"], horizon, row["as_of"], cut.snapshot
                ),
                "bundle": bundle.hash,
                "model_version": champion.model_version,
                "universe": cut.universe.name,
                "horizon": horizon,
                "snapshot": cut.snapshot,
                "origin": "live" if row["session"] == cut.last else "backfill",
                "issued_at": now,
            }
            for row in forecast.to_pylist()
        ],
        schema=PREDICTIONS.schema,
    )
