"""Spans of days, told in versions: who belonged to a universe or a sector, and who knew it."""

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from features.panel.panel import Flags, Times, times_of

if TYPE_CHECKING:
    import polars as pl


def covered(session: Times, as_of: Times, spans: "pl.DataFrame") -> Flags:
    """Per row whether its session lies in a span, by the newest version known at its `as_of`.

    spans: valid_from, valid_to (null: open), known_at; every version, oldest first.
    """
    inside = np.zeros(len(session), bool)
    for _, versions in spans.group_by("valid_from"):
        member = np.zeros(len(session), bool)
        times = times_of(versions["known_at"])
        for known_at, (start, end) in zip(
            times, versions.select("valid_from", "valid_to").iter_rows(), strict=True
        ):
            held = (session >= np.datetime64(start)) & (session <= np.datetime64(end or date.max))
            member = np.where(as_of >= known_at, held, member)
        inside |= member
    return inside
