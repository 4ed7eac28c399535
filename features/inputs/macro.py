"""Panel columns of macro series: at each close the newest value that was known by then."""

import numpy as np
import polars as pl

from features.panel.panel import Times, times_of
from features.panel.series import Values

# Panel column -> names under which sources deliver the series, in the same unit.
SERIES = {
    "inflation": ("SIM:INFLATION",),
    "payrolls": ("SIM:PAYROLLS",),
    "output": ("SIM:OUTPUT",),
}


def macro_columns(as_of: Times, observations: pl.DataFrame) -> dict[str, Values]:
    """Per row the value of the newest period of each series, in the vintage known at `as_of`.

    observations: series, event_time (the end of the period), known_at, value; every version.
    Null before the first value and for a series that the store does not have.
    """
    out = {}
    for column, names in SERIES.items():
        known = observations.filter(pl.col("series").is_in(names)).sort("known_at", "event_time")
        # A revision of an older period than the newest one says nothing about the newest.
        newest = known.filter(pl.col("event_time") >= pl.col("event_time").cum_max())
        values = np.append(np.nan, newest["value"].to_numpy())
        place = np.searchsorted(times_of(newest["known_at"]), as_of, side="right")
        out[column] = values[place]
    return out
