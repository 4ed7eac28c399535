"""The champion's forecasts of whole sessions, written once into the ledger."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from contracts.champion import FIRST_TARGET, Champion
from contracts.cut import Cut
from contracts.store import Store
from contracts.tables import EXPLANATIONS, PREDICTIONS
from contracts.time.calendar import session_close
from serving.served.explained import explanations
from training.bundle.bundle import Bundle
from training.bundle.history import History, lookback
from training.bundle.inputs import with_answers
from training.bundle.text_model import text_model
from training.forecast import Floats, Values
from training.objective import CLOSE

log = logging.getLogger(__name__)


LIVE, BACKFILL, SHADOW = "live", "backfill", "shadow"


def predict(
    store: Store,
    champion: Champion,
    bundle: Bundle,
    cut: Cut,
    now: datetime,
    origin: str = LIVE,
) -> int:
    """Record the champion's forecasts of the cut's sessions that have none; returns their number.

    origin: of those of the last session: LIVE, or SHADOW for a challenger whom nobody is told of.

    Those before the last were missed: they are backfilled. A forecast that was issued stays as it
    was: a session is never forecast twice by one bundle. Sessions whose truth the bundle was
    trained on are left out: they would be no forecasts. Features are made with the text model
    that the bundle is pinned to. Raises BundleError for another view, or for values of another
    unit than those of the training, and TextUnscored where that model's scores are not there.
    """
    done = _done(store, bundle.hash, cut)
    missed = [day for day in _sessions(store, bundle, cut) if day not in done]
    if not missed:
        return 0
    matrix = _matrix(store, bundle, cut, missed)
    forecast, windows = _forecast(matrix, bundle, missed)
    rows = _rows(forecast, champion, bundle, cut, (now, origin))
    live = pc.not_equal(rows["origin"], BACKFILL).to_numpy()
    ids = rows["prediction_id"].filter(pa.array(live)).to_pylist()
    # First what they rest on: whoever is killed in between writes both again, each row once.
    if ids and (why := explanations(bundle, windows[live], ids, now)) is not None:
        store.record(EXPLANATIONS, why)
    return store.record(PREDICTIONS, rows)


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
    from features.matrix.closes import with_closes
    from features.matrix.matrix import load_features
    from features.view import view

    bundle.require_view()
    # The sessions before are there for the first one's window to look back on.
    chosen = view(bundle.manifest.view)
    first = min(sessions) - lookback(bundle.manifest.window, chosen.interval)
    asked = cut.since(first).until(max(sessions))
    pinned = text_model(store, bundle.manifest)
    matrix = load_features(store, asked, chosen, pinned, missing="write")
    matrix = with_answers(store, asked, bundle.manifest, matrix, _lost)
    if CLOSE in bundle.manifest.asked.keeps:
        matrix = with_closes(store, asked.since(min(sessions)), chosen, matrix)
    return matrix


def _lost(part: str, error: Exception) -> None:
    # The forecast goes on without it, and says so.
    log.error("a part cannot be asked", extra={"part": part, "error": str(error)})


def _forecast(
    matrix: pa.Table, bundle: Bundle, sessions: Sequence[date]
) -> tuple[pa.Table, Values]:
    """The rows of those sessions with their forecasts and signals, and the windows they saw."""
    whole, history = History.of_matrix(matrix, bundle.manifest.features)
    rows = np.flatnonzero(pc.is_in(whole["session"], pa.array(sessions, pa.date32())).to_numpy())
    windows = history.windows(rows, bundle.manifest.window)
    bundle.require_units(windows)
    answers = bundle.forecast(windows)
    known = whole.select(["instrument_id", "symbol", "session", "as_of"]).take(pa.array(rows))
    kept = whole.select(bundle.manifest.asked.keeps).take(pa.array(rows)).to_pydict()
    for name, column in told(bundle, answers, kept, bundle.grounds(windows)).items():
        known = known.append_column(name, pa.array(column))
    return known, windows


def told(
    bundle: Bundle,
    answers: Floats,
    kept: Mapping[str, Sequence[object]],
    grounds: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Sequence[object]]:
    """Answers (n, columns of the objective) as columns of `predictions`: them, what follows from
    them, what is `kept` with them and their grounds as JSON, those that have a column of their own
    in it as well, and signals, if any."""
    asked = bundle.manifest.asked
    numbers = dict(zip(asked.columns, answers.T, strict=True)) | asked.derived(answers)
    columns = {name: values.tolist() for name, values in numbers.items()} | dict(kept)
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    plain = {name: values for name, values in columns.items() if name in PREDICTIONS.names}
    signals = bundle.signals(answers)
    both = zip(rows, grounds or [{}] * len(answers), strict=True)
    written = [orjson.dumps({**row, **ground}).decode() for row, ground in both]
    return {"forecast": written, **plain} | ({"signal": signals} if signals else {})


def prediction_id(bundle: Bundle, instrument: str, as_of: datetime, snapshot: int) -> str:
    """The same for the same key of `predictions`, so that a repeat names the same row."""
    manifest = bundle.manifest
    # The first target is named by its horizon, as it was when there was no other.
    first = manifest.target == FIRST_TARGET
    foretold = str(manifest.horizon) if first else manifest.target
    key = "|".join((bundle.hash, instrument, foretold, as_of.isoformat(), str(snapshot)))
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _rows(
    forecast: pa.Table,
    champion: Champion,
    bundle: Bundle,
    cut: Cut,
    issued: tuple[datetime, str],
) -> pa.Table:
    now, origin = issued
    return pa.Table.from_pylist(
        [
            row
            | {
                "prediction_id": prediction_id(
                    bundle, row["instrument_id"], row["as_of"], cut.snapshot
                ),
                "bundle": bundle.hash,
                "target": bundle.manifest.target,
                "model_version": champion.model_version,
                "universe": cut.universe.name,
                "horizon": bundle.manifest.horizon,
                "snapshot": cut.snapshot,
                "origin": origin if row["session"] == cut.last else BACKFILL,
                "issued_at": now,
            }
            for row in forecast.to_pylist()
        ],
        schema=PREDICTIONS.schema,
    )
