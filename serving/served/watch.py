"""Watching the ledger: a new champion is loaded and checked aside, then swapped in at once."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from contracts.champion import FIRST_TARGET, Champion, Office, reign
from contracts.database.connection import in_time
from contracts.store import Store
from serving.edge.lane import Lane
from serving.edge.metrics import Metrics
from serving.served import served as view
from serving.served.served import View
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


@dataclass(frozen=True)
class State:
    """All that a request may look at; replaced as a whole, never changed.

    in_office: the champion that the ledger names. waiting: why it is not the one served, or
    empty. database: whether the last look at the ledger that ended was answered.
    """

    view: View | None = None
    in_office: Champion | None = None
    waiting: str = "the ledger was not read yet"
    database: bool = False


class Watch:
    """Keeps `state` up to date with the ledger of one universe.

    The newest champion that has forecasts for the newest session and whose bundle passes its
    checks is served. Until then the former one stays; while the database is away all stays.
    looked: set once the ledger was looked at, whatever came of it.
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
        self._checked: dict[str, Manifest] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._seen: object = None
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
            state = self._read()
        except Exception as error:
            if former.database or former == State():
                log.error("the ledger cannot be read", extra={"error": str(error)})
            waiting = former.waiting if former.view else "the database does not answer"
            state = replace(former, database=False, waiting=waiting)
        if state.view is not None and state.view is not former.view:
            self._announce(state.view, former.view)
        if state.database:
            self._answered = time.monotonic()
        self.state = state
        self._metrics.database.set(self.database)

    def _read(self) -> State:
        office = Office(self._universe, FIRST_TARGET)
        ranks = reign(self._store, office)
        if not ranks:
            return State(None, None, f"the universe {self._universe!r} has no champion yet", True)
        ready = view.forecasters(self._store, office)
        self._answered = time.monotonic()
        waiting = self._reason_against(ranks[0], ready)
        served = self._first_fit(ranks, ready)
        return State(served or self.state.view, ranks[0], waiting, True)

    def _first_fit(self, ranks: Sequence[Champion], ready: dict[str, object]) -> View | None:
        for candidate in ranks:
            if not self._reason_against(candidate, ready):
                return self._view(candidate, ready[candidate.bundle])
        return None

    def _view(self, candidate: Champion, seen: object) -> View:
        former = self.state.view
        if former is not None and self._seen == (candidate, seen):
            return former
        self._seen = (candidate, seen)
        made = View(
            candidate,
            self._checked[candidate.bundle],
            view.data_origin(self._store),
            view.newest(self._store, candidate),
        )
        # Written down here, not while the first caller waits.
        assert len(made.told) == len(made.newest)
        return made

    def _reason_against(self, candidate: Champion, ready: dict[str, object]) -> str:
        if candidate.bundle not in ready:
            return "it has no forecasts for the newest session yet: run `python -m serving predict`"
        if candidate.bundle in self._checked:
            return ""
        failed_at, reason = self._failed.get(candidate.bundle, (float("-inf"), ""))
        if time.monotonic() - failed_at < RETRY_SECONDS:
            return reason
        return self._check(candidate)

    def _check(self, candidate: Champion) -> str:
        names = {"bundle": candidate.bundle, "version": candidate.model_version}
        try:
            # Forecasts are computed when facts arrive: of the model only its passing is needed.
            self._checking = True
            manifest = in_time(CHECK_SECONDS, partial(self._load, candidate.bundle)).manifest
            if manifest.universe != self._universe:
                raise ValueError(f"it was trained for the universe {manifest.universe!r}")
        except Exception as error:
            reason = f"its bundle failed the checks: {error}"
            self._failed[candidate.bundle] = (time.monotonic(), reason)
            self._metrics.refused.inc()
            log.error("champion refused", extra={**names, "reason": reason})
            return reason
        finally:
            self._checking = False
        self._checked[candidate.bundle] = manifest
        return ""

    def _announce(self, served: View, former: View | None) -> None:
        champion = served.champion
        if former is None or former.champion != champion:
            log.info(
                "champion served",
                extra={"bundle": champion.bundle, "version": champion.model_version},
            )
            self._metrics.serve(self._universe, champion.model_version, champion.bundle)
        self._metrics.newest.set(served.as_of.timestamp())
