"""The newest complete minute bars of a universe: what a live decision looks at."""

from datetime import datetime, timedelta

import polars as pl

from contracts.store import Store
from contracts.tables import BARS, MEMBERSHIPS
from features.facts.members import NoFacts

# A day brings sixty bars on any exchange; after holidays it takes a few more, after a halt many.
_SPANS = (1, 5, 30)


def latest_bars(
    store: Store, universe: str, as_of: datetime, count: int, snapshot: int
) -> pl.DataFrame:
    """The last `count` one-minute bars of each member that had closed and were known at `as_of`.

    Sorted by instrument and time; fewer only where an instrument has fewer within 30 days. Raises
    NoFacts for a universe without members then.
    """
    found = pl.from_arrow(store.read(MEMBERSHIPS, as_of, snapshot, {"universe": universe}))
    assert isinstance(found, pl.DataFrame)
    day = as_of.date()
    ends = pl.col("valid_to").is_null() | (pl.col("valid_to") >= day)
    ids = sorted(found.filter((pl.col("valid_from") <= day) & ends)["instrument_id"].unique())
    if not ids:
        raise NoFacts(
            f"universe {universe!r} has no members at {as_of.isoformat()} among loads up to "
            f"{snapshot}: load it with `python -m etl load --universe {universe}`"
        )
    bars = pl.DataFrame()
    for days in _SPANS:
        span = (as_of - timedelta(days=days), as_of)
        where: dict[str, object] = {"interval": "1m", "instrument_id": ids, "event_time": span}
        read = pl.from_arrow(store.read(BARS, as_of, snapshot, where))
        assert isinstance(read, pl.DataFrame)
        order = ["instrument_id", "event_time"]
        bars = (
            read.unique(order, keep="last")
            .sort(order)
            .group_by("instrument_id", maintain_order=True)
            .tail(count)
        )
        if len(bars) == count * len(ids):
            break
    return bars
