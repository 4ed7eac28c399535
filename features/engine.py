"""Evaluates features over a panel, block by block of instruments, then across each session."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike

from features.feature import Feature, FeatureError, Inputs, find
from features.panel.kernels import finite
from features.panel.panel import Panel
from features.panel.series import Numbers, Scratch, Segments, Series, Values, Whole

BLOCK_ROWS = 16_384


class Block:
    """Columns of some rows, and the features that others read, computed once."""

    def __init__(self, columns: Mapping[str, Values], segments: Segments) -> None:
        self.segments = segments
        self._columns = columns
        self._known: dict[str, Series] = {}

    def series(self, name: str, reader: Feature) -> Series:
        """The column or feature that the reader has among its inputs."""
        found = self._known.get(name)
        if found is None:
            if name in self._columns:
                # The loops are compiled for arrays that could be written to.
                values = np.require(self._columns[name], np.float64, ["C", "W"])
            else:
                values = self._feature(name, reader)
            found = self._known[name] = Series.of(values, self.segments)
        return found

    def _feature(self, name: str, reader: Feature) -> Values:
        source = find(name, reader.edition)
        if source.cross_section and not reader.cross_section:
            raise FeatureError(
                f"{reader.name} looks at {name}, which is computed across instruments "
                "afterwards: declare it cross_section=True, or use other inputs"
            )
        values = self.segments.empty()
        self.compute(source, values)
        return values

    def compute(self, feature: Feature, out: Numbers) -> None:
        """Write a feature's values; everything that is not finite becomes null (NaN)."""
        series = {name: self.series(name, feature) for name in feature.inputs}
        found = feature.compute(Inputs(feature, series))
        if found.shape != out.shape:
            raise FeatureError(
                f"{feature.name}: expected one value per row {out.shape}, found {found.shape}"
            )
        finite(np.asarray(found, dtype=np.float64), out)


def evaluate(
    panel: Panel,
    features: Sequence[Feature],
    *,
    dtype: DTypeLike = np.float64,
    block_rows: int = BLOCK_ROWS,
    threads: int = 0,
) -> dict[str, Numbers]:
    """Values of the features per row of the panel, NaN for null, computed in float64.

    block_rows: rows of whole segments walked at a time; it bounds memory and changes no value.
    threads: blocks walked at once; 0 for OMP_NUM_THREADS, or else the cores. Features across a
    session are computed over the panel's decided rows of one `as_of`, and are null elsewhere.
    Raises FeatureError for features of several editions, whose inputs share names.
    """
    require_one_edition(features)
    wanted, rows = {feature.name: feature for feature in features}, len(panel.session)
    values = dict(zip(wanted, np.empty((len(wanted), rows), dtype), strict=True))
    own = [(f, values[f.name]) for f in wanted.values() if not f.cross_section]
    across = [f for f in wanted.values() if f.cross_section]
    below = read_across(across)
    kept = {feature.name: np.empty(rows) for feature in below}
    _by_instrument(
        panel, [*own, *((f, kept[f.name]) for f in below)], block_rows, threads or _cores()
    )
    if across:
        by_session(panel, across, kept, values)
    return values


def require_one_edition(features: Sequence[Feature]) -> None:
    """Raise FeatureError unless all features are of one edition."""
    if len(found := {feature.edition for feature in features}) > 1:
        raise FeatureError(
            f"expected features of one edition, found {sorted(found)}: evaluate them apart"
        )


def read_across(across: Sequence[Feature]) -> list[Feature]:
    """The features by instrument that those across a session read, directly or through others."""
    found = {s.name: s for f in _nested(across) for s in f.sources if not s.cross_section}
    return list(found.values())


def _cores() -> int:
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or len(os.sched_getaffinity(0))


def _nested(features: Sequence[Feature]) -> Iterator[Feature]:
    for feature in features:
        yield feature
        yield from _nested([source for source in feature.sources if source.cross_section])


def _by_instrument(
    panel: Panel, targets: Sequence[tuple[Feature, Numbers]], block_rows: int, threads: int
) -> None:
    read = {name for feature, _ in targets for name in feature.inputs}
    tolerance = min((feature.tolerance for feature, _ in targets), default=0.0)
    scratches = list[Scratch]()

    def walk(offsets: Whole) -> None:
        scratch = scratches.pop() if scratches else Scratch()
        rows = slice(int(offsets[0]), int(offsets[-1]))
        columns = {name: values[rows] for name, values in panel.columns.items()}
        segments = Segments(offsets - offsets[0], "instrument", scratch, tolerance)
        block = Block(columns, segments)
        with np.errstate(all="ignore"):
            for feature, out in targets:
                if feature.name in read:
                    finite(np.asarray(block.series(feature.name, feature)), out[rows])
                else:
                    block.compute(feature, out[rows])
        scratch.reset()
        scratches.append(scratch)

    _walk_all(walk, list(_blocks(panel.offsets, block_rows)), threads)


def _walk_all(walk: Callable[[Whole], None], blocks: Sequence[Whole], threads: int) -> None:
    if threads == 1 or len(blocks) == 1:
        for block in blocks:
            walk(block)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(walk, blocks):
            pass


def _blocks(offsets: Whole, block_rows: int) -> Iterator[Whole]:
    first, last = 0, len(offsets) - 1
    while first < last:
        end = int(np.searchsorted(offsets, offsets[first] + block_rows, "right")) - 1
        end = min(max(end, first + 1), last)
        yield offsets[first : end + 1]
        first = end


def by_session(
    panel: Panel,
    features: Sequence[Feature],
    sources: Mapping[str, Numbers],
    out: Mapping[str, Numbers],
) -> None:
    """Write features across a session: `sources` holds what `read_across` names."""
    decided = np.flatnonzero(panel.decided)
    # By the moment of decision, not the date: at one exchange's close the other's is not known.
    order = decided[np.argsort(panel.as_of[decided].astype(np.int64), kind="stable")]
    _, first = np.unique(panel.as_of[order], return_index=True)
    offsets = np.append(first, len(order)).astype(np.int64)
    read = {name for f in _nested(features) for name in f.inputs}
    known = {**panel.columns, **sources}
    columns = {
        name: known[name][order].astype(np.float64, copy=False) for name in read & known.keys()
    }
    block = Block(columns, Segments(offsets, "session", tolerance=features[0].tolerance))
    values = np.empty(len(order))
    with np.errstate(all="ignore"):
        for feature in features:
            block.compute(feature, values)
            out[feature.name][:] = np.nan
            out[feature.name][order] = values
