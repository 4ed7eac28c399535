"""Panel columns of the headlines about an instrument, counted in the row that first knew them."""

import numpy as np
import polars as pl

from features.panel.panel import Times, times_of
from features.panel.series import Values


def headline_columns(as_of: Times, news: pl.DataFrame | None) -> dict[str, Values]:
    """How many became known up to each row's close, and sums over their tones.

    as_of: the closes of one instrument's rows. news: known_at (sorted) and tone, null when the
    headline has no sentiment. All are null in the first row: nobody knows when its news began.
    """
    names = ("headlines", "scored", "sentiment", "sentiment_squares")
    out = {name: np.zeros(len(as_of)) for name in names}
    if news is not None:
        tone = news["tone"].to_numpy().astype(float)
        place = np.searchsorted(as_of, times_of(news["known_at"]), side="left")
        known = np.nan_to_num(tone)
        weights = (np.ones(len(tone)), ~np.isnan(tone), known, known**2)
        rows = len(as_of) + 1  # one more for what became known after the last row
        for name, weight in zip(names, weights, strict=True):
            out[name] = np.bincount(place, weight, rows)[:-1].astype(np.float64)
    for column in out.values():
        column[:1] = np.nan
    return out
