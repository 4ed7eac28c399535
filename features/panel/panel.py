"""The panel: columns of all instruments, each instrument's rows together and in time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.panel.series import Values, Whole

if TYPE_CHECKING:
    import polars as pl

Flags: TypeAlias = NDArray[np.bool_]
Times: TypeAlias = NDArray[np.datetime64]


def times_of(column: "pl.Series") -> Times:
    """A column of moments (UTC) as numpy's, which know no time zone."""
    return column.dt.replace_time_zone(None).to_numpy()


@dataclass(frozen=True)
class Inside:
    """The finer bars of some of a panel's rows: row i has bars[:, offsets[i] : offsets[i + 1]].

    bars: open, high, low, close in the shares of the panel, (4, bars), in time.
    """

    offsets: Whole
    bars: Values


@dataclass(frozen=True)
class Panel:
    """Rows of traded sessions, in segments that each hold one instrument's rows in time.

    columns: name -> float64 per row, NaN for null. offsets: segment s holds the rows offsets[s] to
    offsets[s + 1]. instruments: per segment; an instrument has several segments when its facts
    were restated, one per state of knowledge. ended: per segment, when its delisting was certain,
    else NaT. session, as_of: per row, datetime64 of days and microseconds (UTC). decided: per row,
    whether a decision is taken on it; the others are there to look back on. shares: per row, how
    many shares of the newest row one of its own became by splits, as they were known. inside: the
    minutes of rows whose daily bar does not tell a label what came first, where there are some.
    """

    columns: Mapping[str, Values]
    offsets: Whole
    instruments: tuple[str, ...]
    ended: Times
    session: Times
    as_of: Times
    decided: Flags
    shares: Values | None = None
    inside: Inside | None = None

    @cached_property
    def segment(self) -> Whole:
        """Per row: the segment it lies in."""
        return np.repeat(np.arange(len(self.instruments)), np.diff(self.offsets))

    @cached_property
    def place(self) -> Whole:
        """Per row: how many rows of its segment lie before it."""
        return np.arange(len(self.session)) - self.offsets[:-1][self.segment]

    def where(self, rows: NDArray[Any]) -> "Panel":
        """The panel of those rows (a mask), without what is inside; segments stay, even empty."""
        counts = np.bincount(self.segment[rows], minlength=len(self.instruments))
        return replace(
            self,
            columns={name: values[rows] for name, values in self.columns.items()},
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            session=self.session[rows],
            as_of=self.as_of[rows],
            decided=self.decided[rows],
            shares=None if self.shares is None else self.shares[rows],
            inside=None,
        )

    def tail(self, count: int) -> "Panel":
        """The last `count` rows of each segment: what an online decision looks at."""
        lengths = np.diff(self.offsets)
        return self.where(self.place >= lengths[self.segment] - count)
