"""Panel columns of macro series: at each close the newest value that was known by then."""

from datetime import timedelta

import numpy as np
import polars as pl

from contracts.tables import OBSERVATIONS
from features.input import Columns, Known, Made, Need, Reading, Rows, Sample, newest, panel_input

# Panel column -> names under which sources deliver the series, in the same unit.
SERIES = {
    "inflation": ("SIM:INFLATION",),
    "payrolls": ("SIM:PAYROLLS",),
    "output": ("SIM:OUTPUT",),
}
YEAR = timedelta(days=366)
_MONTH = 21  # sessions


def _months(made: Sample) -> np.ndarray:
    draw = np.random.default_rng(made.seed + 1)
    return draw.normal(2.0, 1.0, (len(SERIES), len(made.session) // _MONTH + 1))


def _drawn(made: Sample) -> Columns:
    rows, count = len(made.session), len(made.instruments)
    return {
        name: np.tile(np.repeat(values, _MONTH)[:rows], count)
        for name, values in zip(SERIES, _months(made), strict=True)
    }


def _made(made: Sample) -> Known:
    """A month's value is known three days after its end, and revised ten days later."""
    ends = pl.Series(made.as_of[::_MONTH]).dt.replace_time_zone("UTC")
    frames = [
        pl.DataFrame(
            {
                "event_time": ends,
                "known_at": ends.dt.offset_by(late),
                "value": values[: len(ends)] + change,
            }
        ).with_columns(series=pl.lit(names[0]))
        for names, values in zip(SERIES.values(), _months(made), strict=True)
        for late, change in (("3d", 0.0), ("10d", 0.1))
    ]
    return {"observations": pl.concat(frames)}


@panel_input(
    columns={
        "inflation": "newest value of the series known at the row's close, first or revised",
        "payrolls": "likewise",
        "output": "likewise",
    },
    needs=(Need(OBSERVATIONS, series=tuple(n for s in SERIES.values() for n in s), back=YEAR),),
    reading=Reading(alike=True),
    sample=Made(facts=_made, columns=_drawn),
)
def macro(rows: Rows, known: Known) -> Columns:
    """The value of the newest period of each series, in the vintage known at the close.

    Null before the first value, a year after the last, and for a series that the store lacks.
    """
    told = known["observations"]
    return {
        column: newest(rows, told.filter(pl.col("series").is_in(names)), YEAR)
        for column, names in SERIES.items()
    }
