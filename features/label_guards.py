"""The guards that every label passes: on a panel, each raises LabelLeak with what it found."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from features.label import Label, Outcomes
from features.panel import Panel, Times

LabelGuard: TypeAlias = Callable[[Label, Panel], None]


class LabelLeak(ValueError):
    """A label's truth is not what became of a position after its decision."""


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
            name: np.where(before, column * 1.04, column)
            if name in ("open", "high", "low", "close", "total", "dividend")
            else column
            for name, column in panel.columns.items()
        }
        kept = basis / 1.04 if label.from_close else basis
        found = label.settle(replace(panel, columns=moved), kept)
        changed = row & whole.settled & _apart(found, whole)
        if changed.any():
            raise LabelLeak(_says(label, panel, changed, "changes with prices before its entry"))


def _part(outcomes: Outcomes, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Outcomes:
    return Outcomes(**{name: column[rows] for name, column in vars(outcomes).items()})


def _apart(one: Outcomes, other: Outcomes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    far = np.zeros(len(one.settled), bool)
    for name in ("value", "total_return"):
        left, right = getattr(one, name), getattr(other, name)
        far |= ~(np.abs(left - right) <= 1e-9 * np.maximum(1.0, np.abs(right)))
    return far


def _says(
    label: Label, panel: Panel, rows: np.ndarray[tuple[int], np.dtype[np.bool_]], what: str
) -> str:
    row = int(np.flatnonzero(rows)[0])
    name = panel.instruments[int(panel.segment[row])]
    return f"{label.name} of {name}, decided {panel.session[row]}, {what} ({rows.sum()} rows)"
