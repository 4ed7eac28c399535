"""The processes that serve: workers on one listening socket, and how each of them ends.

A worker that is told to end takes no new connection (its neighbours do), answers what came in,
and asks its callers to come back on another connection. Where all end, readiness goes first.
"""

import asyncio
import importlib
import mmap
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from types import FrameType

from fastapi import FastAPI

from contracts.listener import END_SECONDS, Server

# Longer than uvicorn keeps an idle connection (5 s): whoever pauses is not cut off in between.
_LINGER_SECONDS = 6.0
_RESTART_SECONDS = 0.5
# Lingering, uvicorn's patience with what is being answered, and the last words.
_END_SECONDS = _LINGER_SECONDS + END_SECONDS + 3.0


@dataclass
class Phase:
    """stopping: this process was told to end; it answers, and asks its callers to go elsewhere."""

    stopping: bool = False


@dataclass(frozen=True)
class Group:
    """Processes that serve together.

    drain_seconds: how long they still take connections after readiness said that they will end.
    """

    listener: socket.socket
    make: Callable[[], FastAPI]
    workers: int
    drain_seconds: float
    # One byte that forked processes share: whether all of them end.
    ending: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, 1))

    def run(self) -> None:
        """Serve until told to stop."""
        if self.workers == 1:
            self.ending[0] = 1  # Whenever the only one ends, all end.
            self.work()
        else:
            _Parent(self).run()

    def work(self) -> None:
        """Serve as one worker of the group until told to stop."""
        app = self.make()
        _Server(app, self).run([self.listener])


class _Server(Server):
    def __init__(self, app: FastAPI, group: Group) -> None:
        super().__init__(app)
        self._phase = app.state.service.phase
        self._group = group
        self._parent = os.getppid()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._phase.stopping = True
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        # Nobody would ever end a worker whose parent was killed.
        orphan = self._group.workers > 1 and os.getppid() != self._parent
        return await super().on_tick(counter) or orphan

    async def main_loop(self) -> None:
        await super().main_loop()
        if self._group.ending[0]:
            await self._until(lambda: False, self._group.drain_seconds)
        for server in self.servers:
            server.close()
        await self._until(lambda: not self.server_state.connections, _LINGER_SECONDS)

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not done() and not self.force_exit and time.monotonic() < deadline:
            await asyncio.sleep(0.05)


class _Parent:
    """Starts the workers, starts those anew that died, and ends them all."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._workers: list[ForkProcess] = []
        self._stop = False

    def run(self) -> None:
        # What a worker would import at its first look at the database.
        importlib.import_module("adbc_driver_postgresql.dbapi")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)
        self._workers = [self._fork() for _ in range(self._group.workers)]
        while not self._stop:
            if wait([worker.sentinel for worker in self._workers], timeout=0.2):
                self._replace()
        self._group.ending[0] = 1
        # The workers have their own: what nobody takes any more must be refused, not wait.
        self._group.listener.close()
        for worker in self._workers:
            worker.terminate()
        deadline = time.monotonic() + self._group.drain_seconds + _END_SECONDS
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))
            worker.kill()
            worker.join()

    def _told(self, *_: object) -> None:
        self._stop = True

    def _fork(self) -> ForkProcess:
        # Forked, so that imports are shared memory and a new worker is there at once.
        worker = multiprocessing.get_context("fork").Process(target=self._serve)
        worker.start()
        return worker

    def _serve(self) -> None:
        # A signal to the whole group of processes is the parent's to handle.
        os.setpgid(0, 0)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        self._group.work()

    def _replace(self) -> None:
        time.sleep(_RESTART_SECONDS)
        for place, worker in enumerate(self._workers):
            if not worker.is_alive() and not self._stop:
                print(f"worker {worker.pid} ended: {worker.exitcode}", file=sys.stderr)
                self._workers[place] = self._fork()
