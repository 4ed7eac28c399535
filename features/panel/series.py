"""A column of a block, and the segments in which its rows belong together."""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = NDArray[np.floating[Any]]
Whole: TypeAlias = NDArray[np.int64]
Kind = Literal["instrument", "session"]

# Numbers this near, as a share of the larger one, are equal: a split rounds every price anew.
TOLERANCE = 1e-9


class Segments:
    """Which rows belong together: segment s holds the rows offsets[s] to offsets[s + 1].

    kind: what a segment is: one instrument's rows in time, or one session's rows across
    instruments. known: results of primitives on these segments, by call, so that features share
    what they have in common. tolerance: within which their values are equal
    (features/panel/ties.py).
    """

    def __init__(
        self,
        offsets: Whole,
        kind: Kind,
        scratch: "Scratch | None" = None,
        tolerance: float = TOLERANCE,
    ) -> None:
        self.offsets = offsets
        self.kind = kind
        self.rows = int(offsets[-1])
        self.tolerance = tolerance
        self.known: dict[tuple[object, ...], Any] = {}
        self._scratch = scratch or Scratch()

    def empty(self) -> Values:
        """Room for one value per row; it holds anything."""
        return self._scratch.take(self.rows)


class Scratch:
    """Arrays that one block leaves to the next: the first touch of new memory is slow."""

    def __init__(self) -> None:
        self._arrays: list[Values] = []
        self._taken = 0

    def take(self, rows: int) -> Values:
        """An array of that many rows that nobody has taken since the last reset."""
        arrays, place = self._arrays, self._taken
        self._taken += 1
        if place == len(arrays):
            arrays.append(np.empty(rows))
        elif len(arrays[place]) < rows:
            arrays[place] = np.empty(rows)
        return arrays[place][:rows]

    def reset(self) -> None:
        """Take back all arrays; whoever holds one will see it overwritten."""
        self._taken = 0


class Series(np.ndarray[Any, np.dtype[np.float64]]):
    """An array of float64 (NaN is null) that knows its segments; arithmetic keeps them.

    A series is hashed by identity: it is a key to what was computed of it.
    """

    segments: Segments | None
    __hash__ = object.__hash__  # type: ignore[assignment]

    @classmethod
    def of(cls, values: Values, segments: Segments) -> "Series":
        """`values` as a series of these segments, without copying contiguous float64."""
        series = np.ascontiguousarray(values, dtype=np.float64).view(cls)
        series.segments = segments
        return series

    def __array_finalize__(self, source: object) -> None:
        self.segments = getattr(source, "segments", None)


def segments_of(values: Values, kind: Kind) -> Segments:
    """The segments of a series; raises TypeError for a bare array or segments of another kind."""
    segments = getattr(values, "segments", None)
    if segments is None:
        raise TypeError(
            "a primitive works on a column of a block or on arithmetic of such columns, found a "
            f"bare {type(values).__name__}: np.where and the like forget the segments"
        )
    if segments.kind != kind:
        raise TypeError(f"expected segments by {kind}, found segments by {segments.kind}")
    assert isinstance(segments, Segments)
    return segments
