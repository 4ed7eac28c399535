"""Freshness: how long nobody has held anybody against the champion."""

from datetime import datetime

import numpy as np

from contracts.champion import PROMOTED, ROLLED_BACK
from monitoring.family import Track, Watched, family

# The demand's: markets are trained on anew every month.
MOST_DAYS = 35.0

_HELD = """
SELECT max(decided_at) AS at FROM promotions WHERE universe = %s AND target = %s
AND ((decision IN (%s, %s) AND bundle = %s) OR (cause = 'contest' AND previous_bundle = %s))
"""


@family("freshness", limit=MOST_DAYS)
def freshness(watched: Watched) -> Track | None:
    """Days since it came into office or stood a contest, whichever was later."""
    universe, target, bundle = watched.place
    asked = (universe, target, PROMOTED, ROLLED_BACK, bundle, bundle)
    newest: datetime = watched.store.query(_HELD, asked)["at"][0].as_py()
    days = (watched.now - newest).total_seconds() / 86_400
    return Track(np.array([watched.cut.last], "datetime64[D]"), np.array([max(days, 0.0)]))
