"""The guards that every feature passes: on a made-up panel, all features at once per guard.

A guard gives the features that break it. Values are equal to 1e-9 with nulls in the same places.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np

from features import input as inputs
from features.engine import evaluate
from features.feature import Feature
from features.guards.trial import forget, prices, quoted_panel, rounded_anew, trial_panel, volumes
from features.panel.panel import Flags, Panel
from features.panel.series import Numbers

ABSURD = 1e9  # no value of a sound feature on quoted prices
# New York was closed from 2001-09-11 to -14.
EVE, USUAL = np.datetime64("2001-09-10"), np.datetime64("2001-08-27")
AFTER_THE_CLOSURE = date(2001, 9, 28)
ROWS = 70  # of the trial beyond the longest lookback
Found = Mapping[str, Numbers]


@dataclass(frozen=True)
class Trial:
    """The features under trial and the panel on which they are tried."""

    features: Sequence[Feature]
    panel: Panel

    @cached_property
    def whole(self) -> Found:
        """The features over the whole panel."""
        return evaluate(self.panel, self.features)

    @cached_property
    def moments(self) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
        """The closes of the panel, in order."""
        return np.unique(self.panel.as_of)

    def differing(self, found: Found, rows: Flags | None = None) -> Iterator[str]:
        """Features whose values are not those of the panel's `rows` (default: all)."""
        chosen = np.ones(len(self.panel.session), bool) if rows is None else rows
        for name, values in found.items():
            if not same(values, self.whole[name][chosen]):
                yield name


def trial(features: Sequence[Feature]) -> Trial:
    """Features over a panel that is long enough for all of them."""
    longest = max((feature.lookback for feature in features), default=1)
    return Trial(features, trial_panel(rows=longest + ROWS))


def same(found: Numbers, wanted: Numbers) -> bool:
    """Equal to 1e-9, nulls in the same places."""
    null = np.isnan(wanted)
    if found.shape != wanted.shape or not (np.isnan(found) == null).all():
        return False
    return bool((np.abs(found - wanted) <= 1e-9 * np.maximum(1.0, np.abs(wanted)))[~null].all())


def future(trial: Trial) -> Iterator[str]:
    """Cutting off all rows after a moment changes nothing up to it."""
    for moment in trial.moments[[-45, -30, -7]]:
        past = trial.panel.as_of <= moment
        yield from trial.differing(evaluate(trial.panel.where(past), trial.features), past)


def lookback(trial: Trial) -> Iterator[str]:
    """The last `lookback` rows give what the whole history gives, online as in a batch."""
    for rows in sorted({feature.lookback for feature in trial.features}):
        own = [feature for feature in trial.features if feature.lookback == rows]
        for moment in trial.moments[[-40, -20, -1]]:
            seen = forget(trial.panel.where(trial.panel.as_of <= moment).tail(rows))
            newest = seen.as_of == moment
            found = {name: x[newest] for name, x in evaluate(seen, own).items()}
            yield from trial.differing(found, trial.panel.as_of == moment)


def warm_up(trial: Trial) -> Iterator[str]:
    """Values are null until the lookback is full, and mostly there from then on."""
    place = trial.panel.place
    _, moment = np.unique(trial.panel.as_of, return_inverse=True)
    oldest = np.zeros(len(trial.moments), np.int64)
    np.maximum.at(oldest, moment, place)
    for feature in trial.features:
        # A cross-section has values from the moment on at which any instrument has.
        full = (oldest[moment] if feature.cross_section else place) >= feature.lookback - 1
        present = np.isfinite(trial.whole[feature.name])
        if present[~full].any() or present[full].mean() < 0.3:
            yield feature.name


def alone(trial: Trial) -> Iterator[str]:
    """Others' columns change an instrument's values in cross-sections, and only there."""
    first = trial.panel.segment == 0
    shaken = {n: np.where(first, x, x[::-1] * 1.7) for n, x in trial.panel.columns.items()}
    found = evaluate(replace(trial.panel, columns=shaken), trial.features)
    moved = set(trial.differing({name: x[first] for name, x in found.items()}, first))
    yield from moved ^ {feature.name for feature in trial.features if feature.cross_section}


def scale(trial: Trial) -> Iterator[str]:
    """Prices or volumes times 100 change features with such a unit, and no others."""
    moved = set[str]()
    for scaled in (prices(), volumes()):
        columns = {n: x * 100 if n in scaled else x for n, x in trial.panel.columns.items()}
        found = evaluate(replace(trial.panel, columns=columns), trial.features)
        moved |= set(trial.differing(found))
    yield from moved ^ {feature.name for feature in trial.features if not feature.scale_free}


def nulls(trial: Trial) -> Iterator[str]:
    """A null input gives null or the value without it, never one taken from another row."""
    panel, moments = trial.panel, trial.moments
    hole = panel.as_of == moments[-60]
    holes = {n: np.where(hole, np.nan, x) for n, x in panel.columns.items()}
    shaken = {n: np.where(hole, x * 1.7, x) for n, x in panel.columns.items()}
    found = evaluate(replace(panel, columns=holes), trial.features)
    moved = evaluate(replace(panel, columns=shaken), trial.features)
    row = len(moments) - 60
    for feature in trial.features:
        values, whole = found[feature.name], trial.whole[feature.name]
        looks = hole & (moved[feature.name] != whole)
        last = moments[min(row + feature.lookback, len(moments)) - 1]
        outside = (panel.as_of < moments[row]) | (panel.as_of > last)
        present = ~np.isnan(values)
        kept = same(values[outside], whole[outside]) and same(values[present], whole[present])
        if present[looks].any() or not kept:
            yield feature.name


def blocks(trial: Trial) -> Iterator[str]:
    """How many instruments are walked at a time changes nothing, bit for bit."""
    found = evaluate(trial.panel, trial.features, block_rows=1)
    for name, values in found.items():
        if not np.array_equal(values, trial.whole[name], equal_nan=True):
            yield name


def order(trial: Trial) -> Iterator[str]:
    """The order of the instruments changes nothing."""
    panel = trial.panel
    turn = np.argsort(-panel.segment, kind="stable")
    turned = replace(
        panel,
        columns={name: column[turn] for name, column in panel.columns.items()},
        offsets=np.append(0, np.cumsum(np.diff(panel.offsets)[::-1])),
        instruments=panel.instruments[::-1],
        session=panel.session[turn],
        as_of=panel.as_of[turn],
    )
    back = np.argsort(turn, kind="stable")
    found = evaluate(turned, trial.features)
    yield from trial.differing({name: values[back] for name, values in found.items()})


def ties(trial: Trial) -> Iterator[str]:
    """Prices as they are quoted, rounded anew by a split, change nothing, whatever ties there are.

    None of the values is what rounding alone left of a division by nothing.
    """
    panel = quoted_panel(len(trial.moments))
    whole = evaluate(panel, trial.features)
    found = evaluate(rounded_anew(panel), trial.features)
    for feature in trial.features:
        one, other = found[feature.name], whole[feature.name]
        if not same(one, other) or (np.abs(other) > ABSURD).any():
            yield feature.name


def closures(trial: Trial) -> Iterator[str]:
    """A closure that nobody could foresee changes nothing before it."""
    panel = trial_panel(rows=len(trial.moments), last=AFTER_THE_CLOSURE)
    eve, usual = panel.session == EVE, panel.session == USUAL
    columns = dict(panel.columns)
    for name in [name for name, one in inputs.columns().items() if one.ahead]:
        columns[name] = np.where(eve, columns[name][usual][0], columns[name])
    whole = evaluate(panel, trial.features)
    found = evaluate(replace(panel, columns=columns), trial.features)
    for name, values in found.items():
        if not same(values, whole[name]):
            yield name


Guard = Callable[[Trial], Iterator[str]]
GUARDS: dict[str, Guard] = {
    guard.__name__: guard
    for guard in (future, lookback, warm_up, alone, scale, nulls, blocks, order, ties, closures)
}


def broken(features: Sequence[Feature]) -> dict[str, list[str]]:
    """Per guard the features that break it, sorted; raises what a feature's function raises."""
    tried = trial(features)
    return {name: sorted(set(guard(tried))) for name, guard in GUARDS.items()}
