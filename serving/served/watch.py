"""Watching the ledger: a new champion is loaded and checked aside, then swapped in at once."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from contracts.champion import Champion, Office, offices, reign
from contracts.database.connection import in_time
from contracts.release.rollout import Rollout, staged
from contracts.store import Store, StoreUnavailable
from serving.edge.lane import Lane
from serving.edge.metrics import Metrics
from serving.served import served as view
from serving.served.served import View
from serving.served.staging import Staging
from serving.served.state import Seat, Staged, State, arranged
from training.bundle.bundle import Bundle
from training.bundle.manifest import Manifest

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
# A bundle that failed is tried again: the object store may have been away.
RETRY_SECONDS = 30.0
# An object store that hangs must not keep the ledger from being read.
CHECK_SECONDS = 60.0
# A look that takes longer was not answered, whatever it waits for.
STALE_SECONDS = 10.0


class Watch:
    """Keeps `state` up to date with the ledger, every office by itself.

    Of each office the newest champion is served that has forecasts for its newest session and
    whose bundle passes its checks. Until then the former one stays; while the database is away all
    stays. A challenger that is staged stands beside its champion in the same way. universe: whom
    callers mean who name none. looked: set once the ledger was looked at, whatever came of it.
    """

    def __init__(
        self, store: Store, universe: str, load: Callable[[str], Bundle], metrics: Metrics
    ) -> None:
        self.state = State()
        self.looked = asyncio.Event()
        self._store = store
        self._universe = universe
        self._load = load
        self._metrics = metrics
        self._staging = Staging(store, metrics)
        self._checked: dict[tuple[Office, str], Manifest] = {}
        self._failed: dict[tuple[Office, str], tuple[float, str]] = {}
        self._seen: dict[Office, object] = {}
        self._answered = time.monotonic()
        self._checking = False

    async def run(self) -> None:
        """Poll until cancelled."""
        await asyncio.gather(self._look(), self._tell())

    async def _look(self) -> None:
        # A thread of its own, so that its connection is kept from poll to poll.
        lane = Lane("watch")
        await lane.call(self.poll)
        # What lives as long as the process is not worth a look by the collector.
        gc.collect()
        gc.freeze()
        self.looked.set()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await lane.call(self.poll)

    async def _tell(self) -> None:
        # From the event loop: it goes on while a look hangs.
        while True:
            await asyncio.sleep(1.0)
            self._metrics.database.set(self.database)

    @property
    def database(self) -> bool:
        """Whether the newest look at the ledger was answered, and not too long ago."""
        fresh = time.monotonic() - self._answered < STALE_SECONDS
        return self.state.database and (fresh or self._checking)

    def poll(self) -> None:
        """Look at the ledger once and swap the state; whatever fails leaves the former one."""
        former = self.state
        try:
            self._read()
        except Exception as error:
            if former.database or former == State():
                log.error("the ledger cannot be read", extra={"error": str(error)})
            waiting = former.waiting if former.answers else "the database does not answer"
            self.state = replace(self.state, database=False, waiting=waiting)
        if self.state.database:
            self._answered = time.monotonic()
        self._metrics.database.set(self.database)

    def _read(self) -> None:
        ranks = {office: reign(self._store, office) for office in offices(self._store)}
        ready = {office: view.forecasters(self._store, office) for office in ranks}
        releases = staged(self._store)
        self._answered = time.monotonic()
        if not ranks:
            nobody = f"the universe {self._universe!r} has no champion yet"
            self.state = replace(self.state, waiting=nobody, database=True)
        # An office whose bundle is to be checked keeps no other one waiting for its forecasts.
        for office in sorted(ranks, key=lambda o: (o, ranks[o][0].bundle) not in self._checked):
            self._take(office, self._seat(office, ranks[office], ready[office]))
        found = {one.universe: self._beside(one, ready.get(one.office, {})) for one in releases}
        self._stage({universe: one for universe, one in found.items() if one is not None})

    def _seat(self, office: Office, ranks: Sequence[Champion], ready: dict[str, object]) -> Seat:
        former = self.state.seats.get(office)
        stays = former.view if former else None
        try:
            waiting = self._reason_against(ranks[0], ready)
            return Seat(ranks[0], self._first_fit(ranks, ready) or stays, waiting)
        except StoreUnavailable:
            raise
        except Exception as error:  # One office's fault is not the others'.
            told = f"it cannot be served: {error}"
            if former is None or former.waiting != told:
                log.error("office not served", extra={"office": str(office), "reason": told})
            return Seat(ranks[0], stays, told)

    def _take(self, office: Office, seat: Seat) -> None:
        """Let the seat be that of its office from now on, in one swap."""
        former, state = self.state.seats.get(office), self.state
        seats = MappingProxyType(dict(sorted({**state.seats, office: seat}.items())))
        answers = state.answers
        if seat.view is not (former.view if former else None):
            views = [each.view for each in seats.values() if each.view is not None]
            answers = arranged(views, self._universe)
        self.state = State(seats, answers, "", True, state.staged)
        self._announce(office, seat, former)

    def _stage(self, found: Mapping[str, Staged]) -> None:
        """Let these be staged from now on, in one swap."""
        former = self.state.staged
        if all(found.get(name) is former.get(name) for name in {*found, *former}):
            return
        self.state = replace(self.state, staged=MappingProxyType(dict(found)))
        for name in {*found, *former}:
            now, before = found.get(name), former.get(name)
            if now is None and before is not None:
                log.info("challenger not staged any more", extra=_named(before.rollout.challenger))
            elif now is not None:
                how = {"stage": now.rollout.stage, "share": now.rollout.share, "fault": now.fault}
                log.info("challenger staged", extra=_named(now.rollout.challenger) | how)

    def _beside(self, release: Rollout, ready: dict[str, object]) -> Staged | None:
        seat, candidate = self.state.seats.get(release.office), release.challenger
        if seat is None or seat.view is None or seat.in_office.bundle == release.bundle:
            return None
        try:
            known = self._staging.former(release)
            if release.bundle in ready:
                if fault := self._reason_against(candidate, ready):
                    return self._staging.of(release, self.state, None, fault)
                manifest = self._checked[release.office, release.bundle]
                known = self._staging.view(release, manifest, ready[release.bundle])
            # Until it has forecasts of the newest session it stays with those that it has.
            return self._staging.of(release, self.state, known, "") if known else None
        except StoreUnavailable:
            raise
        except Exception as error:  # A challenger's fault is nobody else's.
            return self._staging.of(release, self.state, None, f"it cannot be served: {error}")

    def _first_fit(self, ranks: Sequence[Champion], ready: dict[str, object]) -> View | None:
        for candidate in ranks:
            if not self._reason_against(candidate, ready):
                return self._view(candidate, ready[candidate.bundle])
        return None

    def _view(self, candidate: Champion, seen: object) -> View:
        office = candidate.office
        former = self.state.seats.get(office)
        if former and former.view and self._seen.get(office) == (candidate, seen):
            return former.view
        made = View(
            candidate,
            self._checked[office, candidate.bundle],
            view.data_origin(self._store),
            view.newest(self._store, candidate),
        )
        self._seen[office] = (candidate, seen)
        return made

    def _reason_against(self, candidate: Champion, ready: dict[str, object]) -> str:
        if candidate.bundle not in ready:
            return "it has no forecasts for the newest session yet: run `python -m serving predict`"
        key = (candidate.office, candidate.bundle)
        if key in self._checked:
            return ""
        failed_at, reason = self._failed.get(key, (float("-inf"), ""))
        if time.monotonic() - failed_at < RETRY_SECONDS:
            return reason
        return self._check(candidate)

    def _check(self, candidate: Champion) -> str:
        office, names = candidate.office, _named(candidate)
        try:
            # Forecasts are computed when facts arrive: of the model only its passing is needed.
            self._checking = True
            manifest = in_time(CHECK_SECONDS, partial(self._load, candidate.bundle)).manifest
            trained = Office(manifest.universe, manifest.target)
            if trained != office:
                raise ValueError(f"it was trained for the office {trained}")
            manifest.require_declared()
        except Exception as error:
            reason = f"its bundle failed the checks: {error}"
            self._failed[office, candidate.bundle] = (time.monotonic(), reason)
            self._metrics.refused.labels(office.universe, office.target).inc()
            log.error("champion refused", extra={**names, "reason": reason})
            return reason
        finally:
            self._checking = False
        self._checked[office, candidate.bundle] = manifest
        return ""

    def _announce(self, office: Office, seat: Seat, former: Seat | None) -> None:
        self._metrics.wait(office, seat.waiting)
        served, before = seat.view, former.view if former else None
        if served is None or served is before:
            return
        if before is None or before.champion != served.champion:
            log.info("champion served", extra=_named(served.champion))
            self._metrics.serve(served.champion)
        self._metrics.show(office, served.as_of.timestamp())


def _named(champion: Champion) -> dict[str, object]:
    return {
        "office": str(champion.office),
        "bundle": champion.bundle,
        "version": champion.model_version,
    }
