"""What the endpoints share: the store, the watch and the metrics of one app."""

from dataclasses import dataclass, field

from contracts.store import Store
from serving.edge.access import Access
from serving.edge.journal import Journal
from serving.edge.lane import Lane
from serving.edge.metrics import Metrics
from serving.edge.workers import Phase
from serving.served.skew import SkewWatch
from serving.served.watch import Watch

# Each thread keeps a connection to the database.
_READERS = 4


def _readers() -> Lane:
    return Lane("readers", _READERS)


@dataclass(frozen=True)
class Service:
    """One per app. readers: the threads that look up earlier forecasts."""

    store: Store
    watch: Watch
    metrics: Metrics
    access: Access
    journal: Journal
    skew: SkewWatch
    phase: Phase = field(default_factory=Phase)
    readers: Lane = field(default_factory=_readers)
