"""What a feature is: a plain function over a block's columns, declared with what it needs.

    @feature(lookback="w", w=(5, 20), inputs=("close",), unit="ratio")
    def mean(x: Inputs, w: int) -> Values:
        return roll.mean(x.close, w) / x.close

gives the features `mean_5` and `mean_20`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from contracts.registry import Registry
from features.input import columns
from features.panel.series import TOLERANCE, Series, Values

Unit = Literal["return", "ratio", "score", "count", "rank", "time", "level", "price", "volume"]
Lookback = int | str | Callable[[int], int]

# Of all definitions together, as views name it: 1 compares prices bit by bit, 2 to the tolerance.
EDITION = 2


class FeatureError(ValueError):
    """A feature's declaration does not hold; the message names the feature."""


@dataclass(frozen=True)
class Feature:
    """A declared feature.

    rows: rows of its inputs that a value needs, the newest included.
    inputs: panel columns and other features; nothing else can be read.
    version: to be raised when the values change without the name.
    cross_section: computed per session across instruments, after all others.
    edition: the definitions that it and its inputs are taken from.
    """

    name: str
    compute: Callable[["Inputs"], Values]
    rows: int
    inputs: tuple[str, ...]
    unit: Unit
    version: int = 1
    cross_section: bool = False
    edition: int = EDITION

    @property
    def tolerance(self) -> float:
        """Within which prices that it compares are equal, as a share of them."""
        return TOLERANCE if self.edition > 1 else 0.0

    @property
    def scale_free(self) -> bool:
        """Whether prices or volumes in another unit leave the values as they are."""
        return self.unit not in ("price", "volume")

    @property
    def sources(self) -> tuple["Feature", ...]:
        """The features among the inputs."""
        return tuple(find(name, self.edition) for name in self.inputs if name not in columns())

    @property
    def lookback(self) -> int:
        """Rows of the panel that a value needs, those of its inputs included."""
        return self.rows - 1 + max((source.lookback for source in self.sources), default=1)

    @property
    def columns(self) -> frozenset[str]:
        """The panel columns that it reads, itself and through its inputs."""
        own = frozenset(self.inputs).intersection(columns())
        return own.union(*(source.columns for source in self.sources))

    @property
    def identity(self) -> list[Any]:
        """What a view is hashed over: name, version, lookback, and the same of its inputs."""
        sources = [source.identity for source in self.sources]
        return [self.name, self.version, self.lookback, sources]


class Inputs:
    """The `x` of a feature's function: its declared inputs as attributes, and nothing else."""

    def __init__(self, feature: Feature, series: Mapping[str, Series]) -> None:
        self._feature = feature
        self.__dict__.update(series)

    def __getattr__(self, name: str) -> Series:
        raise FeatureError(
            f"{self._feature.name} reads {name!r}, which is not among its declared inputs "
            f"{self._feature.inputs}"
        )


FEATURES: Registry[Feature] = Registry("feature", "features.columns")
_SUPERSEDED: dict[str, Feature] = {}


def find(name: str, edition: int = EDITION) -> Feature:
    """The feature as that edition defines it; raises UnknownMember."""
    if edition == EDITION:
        return FEATURES.get(name)
    FEATURES.discover()
    return _SUPERSEDED.get(name) or replace(FEATURES.get(name), edition=edition)


def feature(
    *,
    lookback: Lookback,
    inputs: tuple[str, ...],
    unit: Unit,
    w: tuple[int, ...] = (),
    version: int = 1,
    cross_section: bool = False,
) -> Callable[[Callable[..., Values]], Callable[..., Values]]:
    """Register the function as a feature, or as one per value of `w` named `<function>_<w>`.

    lookback: rows of its inputs that a value needs: a number, "w", "w + <number>", or a function
    of w. unit: `price` and `volume` mark features that change with the scale of prices or volumes.
    """

    def declare(function: Callable[..., Values]) -> Callable[..., Values]:
        for one in declared(function, lookback, w):
            FEATURES.add(
                one.name,
                Feature(one.name, one.compute, one.rows, inputs, unit, version, cross_section),
            )
        return function

    return declare


def superseded(
    *, lookback: Lookback, inputs: tuple[str, ...], unit: Unit, w: tuple[int, ...] = ()
) -> Callable[[Callable[..., Values]], Callable[..., Values]]:
    """Register what edition 1 meant by the name of a feature that `feature` defines anew."""

    def declare(function: Callable[..., Values]) -> Callable[..., Values]:
        for one in declared(function, lookback, w):
            _SUPERSEDED[one.name] = Feature(
                one.name, one.compute, one.rows, inputs, unit, edition=1
            )
        return function

    return declare


@dataclass(frozen=True)
class Declared:
    """One member of a parameterised declaration: its name, function and rows."""

    name: str
    compute: Callable[..., Values]
    rows: int


def declared(
    function: Callable[..., Values], lookback: Lookback, w: tuple[int, ...]
) -> list[Declared]:
    """The members of a declaration; raises FeatureError for a lookback that is none."""
    name = function.__name__
    if not w:
        return [Declared(name, function, _rows(name, lookback, None))]
    return [
        Declared(f"{name}_{one}", partial(function, w=one), _rows(name, lookback, one)) for one in w
    ]


def _rows(name: str, lookback: Lookback, w: int | None) -> int:
    if callable(lookback):
        rows = lookback(w or 0)
    elif isinstance(lookback, int):
        rows = lookback
    else:
        found = re.fullmatch(r"w(?: \+ (\d+))?", lookback)
        if not found or w is None:
            raise FeatureError(
                f'{name}: lookback is a number, "w", "w + <number>" with w=(...) given, or a '
                f"function of w, found {lookback!r}"
            )
        rows = w + int(found[1] or 0)
    if rows < 1:
        raise FeatureError(f"{name}: a lookback is at least 1 row, found {rows}")
    return rows
