"""What the endpoints share: the store, the watch and the metrics of one app."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from contracts.store import Store, StoreUnavailable
from serving.edge.access import Access
from serving.edge.errors import ApiError
from serving.edge.journal import Journal
from serving.edge.lane import Lane
from serving.edge.metrics import Metrics
from serving.edge.workers import Phase
from serving.served.skew import SkewWatch
from serving.served.watch import Watch

T = TypeVar("T")

# Each thread keeps a connection to the database.
_READERS = 4


def _readers() -> Lane:
    return Lane("readers", _READERS)


@dataclass(frozen=True)
class Service:
    """One per app. readers: the threads that ask the database for callers."""

    store: Store
    watch: Watch
    metrics: Metrics
    access: Access
    journal: Journal
    skew: SkewWatch
    phase: Phase = field(default_factory=Phase)
    readers: Lane = field(default_factory=_readers)

    async def read(
        self, ask: Callable[[], T], seconds: float, what: str, otherwise: str = "ask again later"
    ) -> T:
        """What `ask` is told by the database on a reader's thread, within so many seconds.

        what: is asked for, and otherwise: what to do without it, in words of the refusal. Raises
        ApiError: database_unavailable, at once where the database is known to be away.
        """
        try:
            # Whoever asks a database that is known to be away would only keep others waiting.
            if not self.watch.database:
                raise StoreUnavailable("the last look at the ledger was not answered")
            return await self.readers.call(ask, seconds)
        except (StoreUnavailable, TimeoutError) as error:
            told = f"{what} lie in the database, which does not answer: {otherwise}"
            raise ApiError(503, "database_unavailable", told) from error
