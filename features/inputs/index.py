"""The index of a universe: what its members on one exchange returned on average, equally weighted.

It is made of bars and actions as they were first told, each at its own moment, and never restated:
a row of the past holds what was known then, whatever became known later.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from features.input import Columns, Known, Made, Reading, Rows, Sample, panel_input
from features.panel.panel import Panel
from features.panel.series import Values


def levels(told: Panel, calendars: Sequence[str]) -> pl.DataFrame:
    """Per exchange its moments, in order, and the index's level at each; that before them is 1."""
    total = told.columns["total"]
    value = np.append(np.nan, total[1:] / total[:-1] - 1.0)[: len(total)]
    value[told.place == 0] = np.nan
    exchange = np.array(calendars, dtype=object)[told.segment]
    frames = [
        pl.DataFrame(
            schema={"calendar": pl.String, "as_of": pl.Datetime("us"), "level": pl.Float64}
        )
    ]
    for name in sorted(set(calendars)):
        rows = told.decided & (exchange == name)
        moments, place = np.unique(told.as_of[rows], return_inverse=True)
        frames.append(
            pl.DataFrame(
                {"as_of": moments, "level": level_of(place, value[rows], len(moments))}
            ).select(calendar=pl.lit(name), as_of="as_of", level="level")
        )
    return pl.concat(frames)


def level_of(place: np.ndarray, value: Values, count: int) -> Values:
    """The level at each of `count` moments: the mean of the values told at it, compounded."""
    total = np.bincount(place, np.nan_to_num(value), count).astype(np.float64)
    members = np.bincount(place, np.isfinite(value), count).astype(np.float64)
    growth = 1.0 + total / np.maximum(members, 1.0)
    return np.cumprod(growth, dtype=np.float64)


def _drawn(made: Sample) -> Columns:
    draw, rows = np.random.default_rng(made.seed + 1), len(made.session)
    # Golden panels hold what one stream gave to what is around bars: these numbers are others'.
    draw.normal(2.0, 1.0, (3, rows // 21 + 1))
    draw.random(made.size)
    return {"index_return": np.tile(draw.normal(0.0, 0.01, rows), len(made.instruments))}


@panel_input(
    columns={
        "index_return": "return of the universe's members on the same exchange since the row before"
    },
    since_row_before=True,
    reading=Reading(market=levels, alike=True),
    sample=Made(columns=_drawn),
)
def index(rows: Rows, known: Known) -> Columns:
    """Null at a moment that the index does not know, and after it."""
    moments, levels = known["market"]["as_of"].to_numpy(), known["market"]["level"].to_numpy()
    level = np.full(len(rows.as_of), np.nan)
    if len(moments):
        place = np.minimum(np.searchsorted(moments, rows.as_of), len(moments) - 1)
        level = np.where(moments[place] == rows.as_of, levels[place], np.nan)
    grown = np.append(np.nan, level[1:] / level[:-1] - 1.0)
    return {"index_return": grown[: len(level)]}
