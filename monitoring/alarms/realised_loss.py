"""Realised loss: what settled forecasts lost, beside champion zero's of the same rows."""

from dataclasses import replace

import numpy as np
import polars as pl

from contracts.champion import reign
from monitoring.family import Track, Watched, family
from monitoring.truth.baseline import Baseline, baseline
from monitoring.truth.performance import settled
from monitoring.truth.said import newest, settled_sessions
from training.evidence.intervals import per_session
from training.forecast import Classes, Floats
from training.objective import Forecasts, Objective


@family("realised_loss")
def realised_loss(watched: Watched) -> Track | None:
    """The mean over a session's forecasts of the loss that decides contests, minus champion zero's.

    Of champion zero itself, and where zero cannot be asked, it is the loss alone.
    """
    manifest = watched.bundle.manifest
    asked, days = manifest.asked, settled_sessions(watched.store, watched.place, watched.cut.last)
    if not days:
        return None
    rows = newest(settled(watched.store, watched.place, asked, days))
    values = rows.select(asked.columns).to_numpy().astype(np.float64)
    rows = rows.filter(pl.Series(np.isfinite(values).all(axis=1)))
    values = rows.select(asked.columns).to_numpy().astype(np.float64)
    losses = _losses(asked, values, rows)
    if (beside := _zero(watched, asked)) is not None:
        # All at one snapshot: a matrix is read once, not one for each session.
        at_once = rows.with_columns(snapshot=pl.lit(watched.cut.snapshot, rows.schema["snapshot"]))
        if (told := beside.answers(at_once)) is not None:
            losses = losses - _losses(asked, told, rows)
    counts = np.isfinite(losses)
    of_row = rows["session"].to_numpy().astype("datetime64[D]")
    sessions, sums, count = per_session(losses[counts], of_row[counts])
    return Track(sessions, sums / count, manifest.horizon)


def _losses(asked: Objective, values: Floats, rows: pl.DataFrame) -> Floats:
    truth = rows["truth"].to_numpy()
    truth = truth.astype(np.int64 if isinstance(asked.head, Classes) else np.float64)
    found = asked.judged[0].of(Forecasts(asked, values), truth)
    return np.asarray(found, dtype=np.float64)


def _zero(watched: Watched, asked: Objective) -> Baseline | None:
    ranks = reign(watched.store, watched.held.office)
    found = baseline(watched.store, watched.held.bundle, ranks[-1].bundle, asked)
    if found is None or found.zero.hash == watched.held.bundle:
        return None
    return replace(found, missing="write")
