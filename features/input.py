"""What a feature may read of the world: columns of the panel, one file per kind of fact.

@panel_input(
    columns={"inflation": "newest value known at the row's close"},
    needs=(Need(OBSERVATIONS, series=("SIM:INFLATION",), back=YEAR),),
    sample=Made(facts=releases),
)
def macro(rows: Rows, known: Known) -> dict[str, Values]:
    return {"inflation": newest(rows, known["observations"], YEAR)}
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from contracts.registry import Registry
from contracts.table import Table
from features.panel.panel import Panel, Times, times_of
from features.panel.series import Values

if TYPE_CHECKING:
    import polars as pl

Known: TypeAlias = Mapping[str, "pl.DataFrame"]
Columns: TypeAlias = Mapping[str, Values]


class InputError(ValueError):
    """A panel input's declaration does not hold; the message names the input."""


@dataclass(frozen=True)
class Need:
    """A table that an input is made of: every version of its rows.

    series: of observations, by name. back: rows about a time longer than that before the first
    bar are not read; None reads them all. own: of observations, those of the universe's
    instruments, each for its own rows alone; else those of no instrument.
    """

    table: Table
    series: tuple[str, ...] = ()
    back: timedelta | None = None
    own: bool = False


@dataclass(frozen=True)
class Rows:
    """The rows of one segment: those of an instrument, of minutes those of one session.

    session, as_of: per row, its session and the moment (UTC) at which its bar closed. bars: the
    bars that they are. actions: the corporate actions known with them, the newest version of each;
    None where there are none.
    """

    instrument: str
    calendar: str
    session: Times
    as_of: Times
    bars: "pl.DataFrame | None" = None
    actions: "pl.DataFrame | None" = None


@dataclass(frozen=True)
class Scores:
    """What a text model says, without which an input is not whole.

    columns: those that are made of it. missing: how many texts have none yet.
    """

    columns: tuple[str, ...]
    missing: Callable[[Known], int]


@dataclass(frozen=True)
class Reading:
    """How what is needed becomes what the function is handed, where it is not handed as read.

    gather: from the needed tables, by name, to frames. market: from the panel of all bars as they
    were first told, and each segment's calendar, to a frame that is handed on as `market`.
    alike: rows of one exchange at the same moments have the same values, whoever's they are: the
    function is asked once for all such, and sees neither instrument nor bars.
    """

    gather: Callable[[Known], Known] | None = None
    market: "Callable[[Panel, Sequence[str]], pl.DataFrame] | None" = None
    scores: Scores | None = None
    alike: bool = False


@dataclass(frozen=True)
class Sample:
    """For whom facts are made up: instruments of one exchange, all of them in each session.

    session, as_of: of one instrument's rows.
    """

    instruments: tuple[str, ...]
    calendar: str
    session: Times
    as_of: Times
    seed: int

    @property
    def size(self) -> int:
        """The rows of all instruments."""
        return len(self.instruments) * len(self.session)


@dataclass(frozen=True)
class Made:
    """Made-up values for the guards.

    facts: frames as the function is handed them, of all instruments, and of one the same whoever
    the others are. columns: the columns of the
    trial panel, one instrument after the other, where they are not to be made of `facts`. prices,
    volumes: columns that grow with the scale of prices, of volumes.
    """

    facts: Callable[[Sample], Known] | None = None
    columns: Callable[[Sample], Columns] | None = None
    prices: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PanelInput:
    """A declared input; see `panel_input`."""

    name: str
    compute: Callable[[Rows, Known], Columns]
    columns: Mapping[str, str]
    needs: tuple[Need, ...]
    since_row_before: bool
    ahead: bool
    reading: Reading
    sample: Made

    def values(self, rows: Rows, known: Known) -> dict[str, Values]:
        """The columns of those rows; raises InputError for others than those declared."""
        found = dict(self.compute(rows, known))
        shape = rows.as_of.shape
        if found.keys() != self.columns.keys() or any(x.shape != shape for x in found.values()):
            shapes = {name: np.shape(values) for name, values in found.items()}
            raise InputError(
                f"{self.name}: expected {shape} values of {', '.join(self.columns)}, found {shapes}"
            )
        if self.since_row_before:
            for values in found.values():
                values[:1] = np.nan
        return found


INPUTS: Registry[PanelInput] = Registry("panel input", "features.inputs")
_COLUMNS: dict[str, PanelInput] = {}


def columns() -> Mapping[str, PanelInput]:
    """Each column that a panel can have, with the input that brings it."""
    INPUTS.discover()
    return _COLUMNS


def panel_input(
    *,
    columns: Mapping[str, str],
    needs: tuple[Need, ...] = (),
    since_row_before: bool = False,
    ahead: bool = False,
    reading: Reading = Reading(),
    sample: Made = Made(),
) -> Callable[[Callable[[Rows, Known], Columns]], Callable[[Rows, Known], Columns]]:
    """Register the function as an input: from a segment's rows, and what is known, to columns.

    columns: name -> what it holds. since_row_before: it is counted since the row before, so that a
    history's first row has nulls. ahead: it lies after the row. The function is handed every
    version with its `known_at`, and a row may hold only what was known at its `as_of`; of frames
    with a column instrument_id (or calendar) it is handed the rows of its own. Raises InputError.
    """

    def declare(function: Callable[[Rows, Known], Columns]) -> Callable[[Rows, Known], Columns]:
        name = function.__name__
        if taken := [column for column in columns if column in _COLUMNS]:
            raise InputError(f"{name}: the columns {', '.join(taken)} are those of another input")
        made = PanelInput(name, function, columns, needs, since_row_before, ahead, reading, sample)
        INPUTS.add(name, made)
        _COLUMNS.update(dict.fromkeys(columns, made))
        return function

    return declare


def newest(rows: Rows, told: "pl.DataFrame", within: timedelta) -> Values:
    """Per row the value about the newest time, in the version known by its close; else null.

    told: event_time, known_at, value; every version. within: a value about a time longer before
    the close than that is none: its series has ended.
    """
    # A revision of an older period than the newest one says nothing about the newest.
    known = told.sort("known_at", "event_time")
    known = known.filter(known["event_time"] >= known["event_time"].cum_max())
    place = np.searchsorted(times_of(known["known_at"]), rows.as_of, side="right")
    values = np.append(np.nan, known["value"].to_numpy())[place]
    about = np.append(np.datetime64("NaT", "us"), times_of(known["event_time"]))[place]
    values[~(rows.as_of - about <= np.timedelta64(within))] = np.nan
    return values
