"""Labels that are no truth about a position, caught by the guards of labels."""

from dataclasses import dataclass, replace

import numpy as np

from features.guards.of_labels import ends_once, settles_once, starts_at_the_entry, ties
from features.label import Held, Label, Outcomes
from features.labels.level_touch import LevelTouch
from features.labels.total_return import TotalReturn
from features.panel.panel import Panel
from features.panel.series import Values
from training.leaklab.leak import leak
from training.leaklab.market import DELISTED, Lab


@dataclass(frozen=True)
class _Smoothed(Label):
    """The mean of five daily returns that end with the horizon: most of it is past already."""

    horizon: int = 1
    kind = "smoothed"

    def outcome(self, held: Held) -> tuple[Values, Values]:
        close = held.panel.columns["close"]
        before = np.maximum(held.last - 5, 0)
        mean = (close[held.last] / close[before] - 1.0) / 5.0
        return mean, held.total_return


@dataclass(frozen=True)
class _SameClose(Label):
    """Entered at the close that it was decided at."""

    horizon: int = 1
    kind = "same_close"

    def outcome(self, held: Held) -> tuple[Values, Values]:
        close = held.panel.columns["close"]
        found = close[held.last] / close[held.decided] - 1.0
        return found, found


@dataclass(frozen=True)
class _TooSoon(TotalReturn):
    """The return of five sessions, said to be settled after one."""

    horizon: int = 5
    kind = "too_soon"

    def settle(self, panel: Panel, basis: Values) -> Outcomes:
        truth = super().settle(panel, basis)
        next_close = np.minimum(np.arange(len(panel.as_of)) + 1, len(panel.as_of) - 1)
        return replace(truth, settled_at=panel.as_of[next_close])


@leak(planted="features", caught_by="features.guards.of_labels.starts_at_the_entry")
def smoothed_target(lab: Lab, planted: bool) -> None:
    """A target averaged over sessions before its decision."""
    starts_at_the_entry(_Smoothed() if planted else TotalReturn(), lab.panel)


@leak(planted="features", caught_by="features.guards.of_labels.starts_at_the_entry")
def same_bar_entry(lab: Lab, planted: bool) -> None:
    """A position entered at the close that its decision needs."""
    starts_at_the_entry(_SameClose() if planted else TotalReturn(), lab.panel)


@leak(planted="features", caught_by="features.guards.of_labels.settles_once")
def settled_too_soon(lab: Lab, planted: bool) -> None:
    """A label whose settlement time is that of a shorter horizon."""
    label = _TooSoon() if planted else TotalReturn(5)
    settles_once(label, lab.panel, np.unique(lab.panel.as_of)[30::9])


@leak(planted="features", caught_by="features.guards.of_labels.ends_once")
def end_of_segment(lab: Lab, planted: bool) -> None:
    """Who is delisted one day has ended at the close of every session of minutes before it."""
    minutes = lab.minutes
    if planted:
        gone = np.array(minutes.instruments) == DELISTED
        last = minutes.ended[~np.isnat(minutes.ended)].max()
        minutes = replace(minutes, ended=np.where(gone, last, minutes.ended))
    ends_once(TotalReturn(5), minutes)


@leak(planted="features", caught_by="features.guards.of_labels.ties")
def touch_by_rounding(lab: Lab, planted: bool) -> None:
    """A low that meets its support to the cent touches it or not by the last bits of both."""
    ties(LevelTouch(version=1) if planted else LevelTouch(), lab.panel)
