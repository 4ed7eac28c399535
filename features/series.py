"""A column of a block, and the segments in which its rows belong together."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]
Kind = Literal["instrument", "session"]


class Segments:
    """Which rows belong together: segment s holds the rows offsets[s] to offsets[s + 1].

    kind: what a segment is: one instrument's rows in time, or one session's rows across
    instruments. Results of primitives on these segments are remembered as long as they live, so
    that features share what they have in common.
    """

    def __init__(self, offsets: Whole, kind: Kind) -> None:
        self.offsets = offsets
        self.kind = kind
        self._known: dict[tuple[object, ...], tuple[object, Series]] = {}

    def once(
        self, key: tuple[object, ...], inputs: tuple["Series", ...], make: Callable[[], Values]
    ) -> "Series":
        """The series of `make()`, made when it is first asked for by this key and these inputs."""
        # Identity is a safe key because the inputs are kept alive beside the result.
        full = (*key, *(id(series) for series in inputs))
        if full not in self._known:
            self._known[full] = (inputs, Series.of(make(), self))
        return self._known[full][1]


class Series(np.ndarray[Any, np.dtype[np.float64]]):
    """An array of float64 (NaN is null) that knows its segments; arithmetic keeps them."""

    segments: Segments | None

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
