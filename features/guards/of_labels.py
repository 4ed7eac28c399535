"""The guards that every label passes: on a panel, each raises LabelLeak with what it found."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from contracts.expected import Expected
from features.guards.trial import PRICES, quoted_panel, rounded_anew, trial_panel
from features.label import Label, Outcomes
from features.panel.panel import Flags, Panel, Times
from features.panel.series import Values

LabelGuard: TypeAlias = Callable[[Label, Panel], None]

ROWS = 70  # of the trial beyond what the label reaches back


class LabelLeak(Expected, ValueError):
    """A label's truth is not what became of a position after its decision."""


def alone(label: Label, panel: Panel) -> None:
    """Other instruments' columns change nothing."""
    first = panel.segment == 0
    shaken = {n: np.where(first, x, x[::-1] * 1.7) for n, x in panel.columns.items()}
    _refuse_other(label, panel, shaken, first, "changes with other instruments")


def scale(label: Label, panel: Panel) -> None:
    """Prices or volumes times 100 change nothing."""
    every = np.ones(len(panel.session), bool)
    for scaled in (PRICES, ("volume",)):
        larger = {n: x * 100 if n in scaled else x for n, x in panel.columns.items()}
        _refuse_other(label, panel, larger, every, f"changes with {scaled[-1]} times 100")


def ties(label: Label, panel: Panel) -> None:
    """Prices as they are quoted, rounded anew by a split, change nothing.

    See features/panel/ties.py.
    """
    quoted = quoted_panel(int(panel.place.max()) + 1)
    every = np.ones(len(quoted.session), bool)
    for seed in (8, 9):
        columns = rounded_anew(quoted, seed).columns
        _refuse_other(label, quoted, columns, every, "hangs on the last bits of prices")


def future(label: Label, panel: Panel) -> None:
    """`settles_once` at three moments near the panel's end."""
    settles_once(label, panel, np.unique(panel.as_of)[[-45, -30, -7]])


def settles_once(label: Label, panel: Panel, moments: Times | Sequence[np.datetime64]) -> None:
    """A label is unknown before its settlement and the same ever after, whatever bars follow."""
    whole = label.settle(panel, label.basis(panel))
    for moment in moments:
        past = panel.as_of <= moment
        ended = np.where(panel.ended <= moment, panel.ended, np.datetime64("NaT"))
        seen = replace(panel.where(past), ended=ended)
        then = label.settle(seen, label.basis(seen))
        due = whole.settled[past] & (whole.settled_at[past] <= moment)
        if (early := then.settled & ~due).any():
            raise LabelLeak(_says(label, seen, early, f"is settled at {moment} already"))
        if (late := due & ~then.settled).any():
            raise LabelLeak(_says(label, seen, late, f"needs bars after {moment}"))
        changed = due & _apart(then, _part(whole, past))
        if changed.any():
            raise LabelLeak(_says(label, seen, changed, f"changes with bars after {moment}"))


def starts_at_the_entry(label: Label, panel: Panel) -> None:
    """What a position did before its entry, the night included, is no part of its outcome.

    Every price up to a decision is moved, and the decision's basis kept: nothing may change.
    """
    basis = label.basis(panel)
    whole = label.settle(panel, basis)
    for place in np.unique(panel.place)[-2 * label.horizon - 12 :: 3]:
        row = panel.place == place
        before = panel.place <= place
        moved = {
            name: np.where(before, column * 1.04, column) if name in PRICES else column
            for name, column in panel.columns.items()
        }
        kept = basis / 1.04 if label.from_close else basis
        found = label.settle(replace(panel, columns=moved), kept)
        changed = row & whole.settled & _apart(found, whole)
        if changed.any():
            raise LabelLeak(_says(label, panel, changed, "changes with prices before its entry"))


def ends_once(label: Label, panel: Panel) -> None:
    """An instrument is delisted after its last row, not at the end of one of its segments.

    A session of minutes is a segment, and the next one follows it.
    """
    outcome = label.settle(panel, label.basis(panel))
    names = np.array(panel.instruments)[panel.segment]
    for name in np.unique(names):
        own = names == name
        ends = panel.offsets[1:][panel.segment] - 1
        early = own & outcome.delisted & (panel.session[ends] < panel.session[own].max())
        if early.any():
            raise LabelLeak(_says(label, panel, early, "is delisted and traded afterwards"))


LABEL_GUARDS: dict[str, LabelGuard] = {
    guard.__name__: guard for guard in (alone, scale, ties, future, starts_at_the_entry, ends_once)
}


def label_broken(label: Label) -> list[str]:
    """The guards that a label breaks, tried on a panel that is long enough for it.

    Its second instrument is delisted in the midst of the others' history.
    """
    panel = trial_panel(rows=label.reach + ROWS)
    panel = panel.where((panel.segment != 1) | (panel.place < label.reach + ROWS // 2))
    ended = panel.ended.copy()
    ended[1] = panel.as_of[panel.segment == 1].max()
    return list(_broken(label, replace(panel, ended=ended)))


def _broken(label: Label, panel: Panel) -> Iterator[str]:
    for name, guard in LABEL_GUARDS.items():
        try:
            guard(label, panel)
        except LabelLeak:
            yield name


def _refuse_other(
    label: Label, panel: Panel, columns: Mapping[str, Values], rows: Flags, what: str
) -> None:
    whole = label.settle(panel, label.basis(panel))
    changed = replace(panel, columns=columns)
    found = label.settle(changed, label.basis(changed))
    apart = rows & ((found.settled != whole.settled) | (whole.settled & _apart(found, whole)))
    if apart.any():
        raise LabelLeak(_says(label, panel, apart, what))


def _part(outcomes: Outcomes, rows: Flags) -> Outcomes:
    return Outcomes(**{name: column[rows] for name, column in vars(outcomes).items()})


def _apart(one: Outcomes, other: Outcomes) -> Flags:
    far = np.zeros(len(one.settled), bool)
    for name in ("value", "total_return"):
        left, right = getattr(one, name), getattr(other, name)
        far |= ~(np.abs(left - right) <= 1e-9 * np.maximum(1.0, np.abs(right)))
    return far


def _says(label: Label, panel: Panel, rows: Flags, what: str) -> str:
    row = int(np.flatnonzero(rows)[0])
    name = panel.instruments[int(panel.segment[row])]
    return f"{label.name} of {name}, decided {panel.session[row]}, {what} ({rows.sum()} rows)"
