"""Features and verdicts on them as lines to print and as the page of all features."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import polars as pl

from features.feature import FEATURES, Feature
from features.guards.of_features import GUARDS
from features.input import INPUTS


def page() -> Iterator[str]:
    """What features read, and all features by theme, one row per function, as Markdown."""
    yield from _read()
    for theme, members in groupby(sorted(FEATURES, key=_theme), key=_theme):
        yield f"**{theme}**"
        yield ""
        yield "| feature | unit | rows | meaning |"
        yield "|---|---|---|---|"
        for _, same in groupby(members, key=lambda feature: _function(feature).__name__):
            yield _row(list(same))
        yield ""


def _read() -> Iterator[str]:
    yield "**What features read**"
    yield ""
    yield "| input | made of | column | what it holds |"
    yield "|---|---|---|---|"
    for one in INPUTS:
        made_of = ", ".join(f"`{need.table.name}`" for need in one.needs)
        for column, meaning in one.columns.items():
            yield f"| {one.name} | {made_of} | `{column}` | {meaning} |"
    yield ""


def _theme(feature: Feature) -> str:
    return str(_function(feature).__module__).rsplit(".", 1)[-1]


def _function(feature: Feature) -> Any:
    return getattr(feature.compute, "func", feature.compute)


def _row(features: Sequence[Feature]) -> str:
    first, rows = features[0], [feature.lookback for feature in features]
    names = " ".join(f"`{feature.name}`" for feature in features)
    span = str(rows[0]) if len(set(rows)) == 1 else f"{min(rows)} to {max(rows)}"
    meaning = str(_function(first).__doc__).split("\n", 1)[0].replace("|", "\\|")
    return f"| {names} | {first.unit} | {span} | {meaning} |"


def verdicts(
    features: Sequence[Feature],
    found: Mapping[str, Sequence[str]],
    others: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """A row per feature, and per label or input, with the guards that it breaks."""
    yield f"{'feature':<26} {'unit':<7} {'rows':>5}  verdict"
    for feature in features:
        bad = [guard for guard in GUARDS if feature.name in found[guard]]
        yield f"{feature.name:<26} {feature.unit:<7} {feature.lookback:>5}  {_verdict(bad)}"
    for name, guards in others.items():
        yield f"{name}  {_verdict(guards)}"


def _verdict(bad: Sequence[str]) -> str:
    return f"BROKEN: {', '.join(bad)}" if bad else "holds"


def bar_lines(bars: pl.DataFrame) -> Iterator[str]:
    """A row per instrument: how many bars, from when to when, the last close."""
    for (name,), own in bars.group_by("instrument_id", maintain_order=True):
        span = f"{own['event_time'][0]:%Y-%m-%d %H:%M} to {own['event_time'][-1]:%Y-%m-%d %H:%M}"
        yield f"{name!s:<12} {len(own):>4} bars  {span}  {own['close'][-1]:.4f}"
