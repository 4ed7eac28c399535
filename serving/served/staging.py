"""Challengers beside the champions of their offices: made aside, told by answers of their own."""

import numpy as np

from contracts.release.rollout import Rollout
from contracts.store import Store
from serving.edge.metrics import Arm, Metrics
from serving.served.served import View, data_origin, newest
from serving.served.state import Staged, State, arranged, foretold, numbers
from training.bundle.manifest import Manifest


class Staging:
    """Makes what is staged anew when the challenger, its share or those beside it move."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store, self._metrics = store, metrics
        self._views: dict[str, tuple[object, View]] = {}
        self._made: dict[str, tuple[tuple[object, ...], Staged]] = {}

    def of(self, release: Rollout, state: State, view: View | None, fault: str) -> Staged:
        """The challenger with the view of it, whose office is served; see `Staged` for the fault.

        view: None where it cannot be served at all.
        """
        served, answers = state.seats[release.office].view, state.answers[release.universe]
        assert served is not None
        key = (release.rollout_id, release.stage, release.share, fault)
        seen = (view, served, answers)
        known = self._made.get(release.universe)
        if known and known[0][:-1] == key and _same(known[0][-1], seen):
            return known[1]
        arms = (
            self._metrics.arm(release.office, "champion", served.champion.bundle),
            self._metrics.arm(release.office, "challenger", release.bundle),
        )
        made = _staged(release, state, view, arms, fault)
        self._made[release.universe] = ((*key, seen), made)
        return made

    def view(self, release: Rollout, manifest: Manifest, mark: object) -> View:
        """The newest forecasts of the challenger; mark: what moves with them."""
        key = (release.rollout_id, mark)
        known = self._views.get(release.universe)
        if known and known[0] == key:
            return known[1]
        who = release.challenger
        made = View(who, manifest, data_origin(self._store), newest(self._store, who))
        self._views[release.universe] = (key, made)
        return made

    def former(self, release: Rollout) -> View | None:
        """The view of the same challenger that was made last; None where there is none."""
        known = self._views.get(release.universe)
        return known[1] if known and known[1].champion.bundle == release.bundle else None


def _same(before: object, now: tuple[object, ...]) -> bool:
    assert isinstance(before, tuple)
    return all(one is other for one, other in zip(before, now, strict=True))


def _staged(
    release: Rollout, state: State, view: View | None, arms: tuple[Arm, Arm], fault: str
) -> Staged:
    served, answers = state.seats[release.office].view, state.answers[release.universe]
    assert served is not None
    if view is None or fault:
        return Staged(release, served, answers, *arms, fault)
    others = [each.view for office, each in state.seats.items() if office != release.office]
    beside = [each for each in others if each and each.office.universe == release.universe]
    try:
        _require_tellable(view)
        told = arranged([*beside, view], release.universe)[release.universe]
    except Exception as error:  # Whatever it is, its callers are the champion's then.
        why = " ".join(str(error).split()) or repr(error)
        fault = f"its forecasts cannot be told: {why}"
        return Staged(release, served, answers, *arms, fault)
    return Staged(release, view, told, *arms)


def _require_tellable(view: View) -> None:
    asked, known = view.manifest.asked, [numbers(row) for row in view.newest.values()]
    said = np.array([[row[name] for name in asked.columns] for row in known], dtype=np.float64)
    asked.head.require(said)
    for row, told in zip(view.newest.values(), known, strict=True):
        foretold(view, row)
        asked.rank(told)
