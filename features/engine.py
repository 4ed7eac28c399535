"""Evaluates features over a panel, block by block of instruments, then across each session."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from features.feature import COLUMNS, FEATURES, Feature, FeatureError
from features.panel import Panel
from features.series import Segments, Series, Values, Whole

BLOCK = 64


class Block:
    """Columns of some rows, and each feature that was asked for, computed once."""

    def __init__(self, columns: Mapping[str, Values], segments: Segments) -> None:
        self.segments = segments
        self._columns = columns
        self._known: dict[str, Series] = {}

    def column(self, name: str) -> Series:
        """A column of the block by name."""
        if name not in self._known:
            self._known[name] = Series.of(self._columns[name], self.segments)
        return self._known[name]

    def value(self, feature: Feature) -> Series:
        """A feature's values; everything that is not finite becomes null (NaN)."""
        if feature.name not in self._known:
            with np.errstate(all="ignore"):
                found = np.asarray(feature.compute(Inputs(self, feature)), dtype=np.float64)
            rows = int(self.segments.offsets[-1])
            if found.shape != (rows,):
                raise FeatureError(
                    f"{feature.name}: expected one value per row ({rows}), found {found.shape}"
                )
            values = np.where(np.isfinite(found), found, np.nan)
            self._known[feature.name] = Series.of(values, self.segments)
        return self._known[feature.name]


class Inputs:
    """The `x` of a feature's function: its declared inputs as attributes, and nothing else."""

    def __init__(self, block: Block, feature: Feature) -> None:
        self._block = block
        self._feature = feature

    def __getattr__(self, name: str) -> Series:
        if name not in self._feature.inputs:
            raise FeatureError(
                f"{self._feature.name} reads {name!r}, which is not among its declared inputs "
                f"{self._feature.inputs}"
            )
        if name in COLUMNS:
            return self._block.column(name)
        source = FEATURES.get(name)
        if self._block.segments.kind == "session" and not source.cross_section:
            return self._block.column(name)  # computed before, by instrument
        return self._block.value(source)


def evaluate(panel: Panel, features: Sequence[Feature], block: int = BLOCK) -> dict[str, Values]:
    """Values of the features, float64 per row of the panel, NaN for null.

    block: segments walked at a time; it bounds memory and changes no value. Features across a
    session are computed over the panel's decided rows of one `as_of`, and are null elsewhere.
    """
    own = [f for f in features if not f.cross_section]
    across = [f for f in features if f.cross_section]
    below = [s for f in _nested(across) for s in f.sources if not s.cross_section]
    wanted = {f.name: f for f in (*own, *below)}
    _refuse_upward(list(wanted.values()))
    values = _by_instrument(panel, list(wanted.values()), block)
    if across:
        values |= _by_session(panel, across, values)
    return {feature.name: values[feature.name] for feature in features}


def _nested(features: Sequence[Feature]) -> Iterator[Feature]:
    for feature in features:
        yield feature
        yield from _nested([source for source in feature.sources if source.cross_section])


def _refuse_upward(features: Sequence[Feature]) -> None:
    for feature in features:
        for source in feature.sources:
            if source.cross_section:
                raise FeatureError(
                    f"{feature.name} looks at {source.name}, which is computed across instruments "
                    "afterwards: declare it cross_section=True, or use other inputs"
                )
            _refuse_upward([source])


def _by_instrument(panel: Panel, features: Sequence[Feature], block: int) -> dict[str, Values]:
    out = {feature.name: np.full(len(panel.session), np.nan) for feature in features}
    last = len(panel.instruments)
    for start in range(0, last, block):
        offsets: Whole = panel.offsets[start : min(start + block, last) + 1]
        rows = slice(int(offsets[0]), int(offsets[-1]))
        columns = {name: values[rows] for name, values in panel.columns.items()}
        part = Block(columns, Segments(offsets - offsets[0], "instrument"))
        for feature in features:
            out[feature.name][rows] = part.value(feature)
    return out


def _by_session(
    panel: Panel, features: Sequence[Feature], values: Mapping[str, Values]
) -> dict[str, Values]:
    decided = np.flatnonzero(panel.decided)
    # By the moment of decision, not the date: at one exchange's close the other's is not known.
    order = decided[np.argsort(panel.as_of[decided].astype(np.int64), kind="stable")]
    _, first = np.unique(panel.as_of[order], return_index=True)
    offsets = np.append(first, len(order)).astype(np.int64)
    read = {name for f in _nested(features) for name in f.inputs}
    known = {**panel.columns, **values}
    columns = {name: known[name][order] for name in read & known.keys()}
    block = Block(columns, Segments(offsets, "session"))
    out = {}
    for feature in features:
        out[feature.name] = np.full(len(panel.session), np.nan)
        out[feature.name][order] = block.value(feature)
    return out
