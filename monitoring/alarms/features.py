"""Feature drift: sessions whose features are unlike those before."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from contracts.cut import Cut
from features.matrix.matrix import load_matrix
from features.view import FeatureView, view
from monitoring.drift.mmd import scaled
from monitoring.drift_test import Values
from monitoring.family import Track, Watched, family
from monitoring.watch.chart import LEAST
from training.forecast import Floats

_FIFTHS = 5


@family("features")
def features(watched: Watched) -> Track | None:
    """How far a session's features lie from their usual place, over all of them at once.

    A session is the median of each feature over its rows, and the share of them that are null.
    """
    chosen = view(watched.bundle.manifest.view)
    parts = [_by_session(watched, chosen, cut) for cut in watched.spans]
    whole = pl.concat(parts)
    # Until the longest look back is full, features are of another kind.
    warm = max((f.lookback for f in chosen.members), default=0) if chosen.interval == "1d" else 0
    whole = whole[min(warm, len(whole)) :]
    days = whole["session"].to_numpy().astype("datetime64[D]")
    values = whole.drop("session").to_numpy().astype(np.float64)
    return Track(days, unlike(values, watched.before(days, LEAST)))


def unlike(rows: Values, before: int) -> Floats:
    """The logarithm of the mean square of the rows (n, width), each column in deviations of the
    first `before` rows, (n,).

    Those rows themselves are told in deviations of the others, a fifth at a time: a row that its
    own mean and spread were made of would lie too near.
    """
    if not len(rows):
        return np.empty(0)
    places = np.arange(len(rows))
    parts = [places[before:], *np.array_split(places[:before], _FIFTHS)]
    far = np.empty(len(rows))
    for part in parts:
        others = np.setdiff1d(places[:before], part)
        if len(part) and len(others):
            far[part] = (scaled(rows[others], rows[part]) ** 2).mean(axis=1)
        else:
            far[part] = 0.0
    return np.asarray(np.log(far + 1e-6))


def _by_session(watched: Watched, chosen: FeatureView, cut: Cut) -> pl.DataFrame:
    matrix = load_matrix(watched.store, cut, chosen, watched.text_model, missing="write")
    names: Sequence[str] = watched.bundle.manifest.features
    names = [name for name in names if name in matrix.column_names]
    frame = pl.DataFrame(matrix.select(["session", *names])).with_columns(
        pl.col(names).fill_nan(None)
    )
    told = [pl.col(name).median() for name in names]
    nulls = [pl.col(name).is_null().mean().alias(f"{name} null") for name in names]
    return frame.group_by("session").agg(*told, *nulls).sort("session")
