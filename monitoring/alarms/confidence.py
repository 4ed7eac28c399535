"""Confidence: how sure a champion's forecasts are of themselves. No truth is needed."""

import numpy as np

from monitoring.family import Track, Watched, family
from monitoring.truth.said import said
from training.evidence.intervals import per_session
from training.forecast import Floats, Head


@family("confidence", both=True)
def confidence(watched: Watched) -> Track | None:
    """The mean over a session's forecasts of how sure they are, as they were issued.

    None of a champion whose answers do not tell it: a single number.
    """
    asked = watched.bundle.manifest.asked
    rows = said(watched.store, watched.place, asked, watched.cut.last)
    values = rows.select(asked.columns).to_numpy().astype(np.float64)
    whole = np.isfinite(values).all(axis=1)
    sure = _sure(asked.head, values[whole])
    if sure is None:
        return None
    days = rows["session"].to_numpy().astype("datetime64[D]")[whole]
    sessions, sums, count = per_session(sure, days)
    return Track(sessions, sums / count)


def _sure(head: Head, values: Floats) -> Floats | None:
    # Of numbers that belong together, as quantiles, those that lie closer are surer.
    told = head.confidence(values)
    if told is not None or head.width == 1:
        return told
    return np.asarray(-np.log(np.ptp(values, axis=1) + 1e-9))
