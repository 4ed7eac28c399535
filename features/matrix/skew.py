"""Values as an online decision would compute them, against those that were materialised."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from contracts.cut import Cut
from contracts.store import Store
from features.matrix.matrix import online, written
from features.view import FeatureView

# Matrices hold float32, and a replay is judged on some nine digits of what it was computed from.
_TOLERANCE = 1e-6
_KEY = "instrument_id"


@dataclass(frozen=True)
class Skew:
    """values: how many were compared. apart: feature -> how many differ, where any does."""

    values: int
    apart: dict[str, int]


def skew(store: Store, cut: Cut, view: FeatureView, sample: Sequence[str]) -> Skew:
    """Compare the sample's features of the last session, computed from the rows that they need.

    sample: instruments; those that one side alone knows differ in every feature. Raises
    MatrixMissing when the session is not materialised at that snapshot.
    """
    batch, fresh = written(store, cut, view), online(store, cut, view)
    both = pl.DataFrame({_KEY: sorted(set(sample))}, schema={_KEY: pl.String})
    for side, values in (("batch", batch), ("online", fresh)):
        columns = [pl.lit(True).alias("there"), *map(pl.col, view.features)]
        both = both.join(
            values.select(_KEY, *(column.name.suffix(f"_{side}") for column in columns)),
            on=_KEY,
            how="left",
        )
    both = both.filter(pl.any_horizontal("there_batch", "there_online"))
    counts = both.select(_apart(name).sum().alias(name) for name in view.features).row(0)
    apart = {name: int(n) for name, n in zip(view.features, counts, strict=True) if n}
    return Skew(both.height * len(view.features), apart)


def _apart(name: str) -> pl.Expr:
    batch, fresh = (pl.col(f"{name}_{side}").cast(pl.Float64) for side in ("batch", "online"))
    far = (batch - fresh).abs() > _TOLERANCE * pl.max_horizontal(1.0, batch.abs())
    return far.fill_null(batch.is_null() != fresh.is_null())
