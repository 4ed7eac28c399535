"""Answered calls on their way into the table `requests`, past the callers' time."""

import asyncio
import logging
import threading
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

import orjson
import pyarrow as pa

from contracts.store import Store
from contracts.tables import REQUESTS
from serving.edge.lane import Lane
from serving.edge.metrics import Metrics

log = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
# Calls, and symbols in them, that wait for the database; some 20 MB.
MOST_WAITING = 100_000
# Written within a fraction of the seconds that a statement has.
MOST_AT_ONCE = 20_000
# For what is left when the process ends.
LAST_SECONDS = 1.5


class Call(NamedTuple):
    """A call as it was answered. answered_at: epoch seconds. universe: the one that it was
    answered about, if any. caller: the API key's name."""

    request_id: str
    answered_at: float
    method: str
    route: str
    status: int
    seconds: float
    symbols: tuple[str, ...]
    universe: str | None
    model_version: int | None
    caller: str | None


class Journal:
    """Keeps calls in memory and writes them in batches.

    While the database is away they wait; what finds no more room is dropped and counted.
    universe: that of calls which were answered about none.
    """

    def __init__(self, store: Store, universe: str, metrics: Metrics) -> None:
        self._store = store
        self._universe = universe
        self._metrics = metrics
        self._waiting: deque[Call] = deque()
        self._size = 0
        self._lock = threading.Lock()
        self._away = False

    def add(self, call: Call) -> None:
        """Let the call be written, or drop it when too much is waiting."""
        size = 1 + len(call.symbols)
        with self._lock:
            if self._size + size <= MOST_WAITING:
                self._size += size
                self._waiting.append(call)
                return
        self._metrics.dropped.inc()

    async def run(self) -> None:
        """Write every other second until cancelled, and then what is left."""
        lane = Lane("journal")
        try:
            while True:
                await asyncio.sleep(FLUSH_SECONDS)
                await lane.call(self.flush)
        finally:
            with suppress(TimeoutError):
                await lane.call(self.flush, LAST_SECONDS)

    def flush(self) -> None:
        """Write all that waits by now, some at a time; whatever fails leaves it waiting."""
        left = len(self._waiting)
        while left > 0 and self._write(min(left, MOST_AT_ONCE)):
            left -= MOST_AT_ONCE

    def _write(self, count: int) -> bool:
        with self._lock:
            calls = list(islice(self._waiting, count))
        try:
            self._store.record(REQUESTS, self._frame(calls))
        except Exception as error:
            if not self._away:
                log.error("calls cannot be recorded", extra={"error": str(error)})
            self._away = True
            return False
        self._away = False
        with self._lock:
            for call in calls:
                self._waiting.popleft()
                self._size -= 1 + len(call.symbols)
        return True

    def _frame(self, calls: list[Call]) -> pa.Table:
        ids, times, methods, routes, states, seconds, symbols, universes, versions, callers = zip(
            *calls, strict=True
        )
        columns = {
            "request_id": ids,
            "answered_at": [datetime.fromtimestamp(at, UTC) for at in times],
            "method": methods,
            "route": routes,
            "status": states,
            "seconds": seconds,
            "symbols": [orjson.dumps(each).decode() for each in symbols],
            "universe": [each or self._universe for each in universes],
            "model_version": versions,
            "key_name": callers,
        }
        return pa.Table.from_pydict(columns, schema=REQUESTS.schema)
