"""Waiting for a service: as long as it lives and works, with a word now and then."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from xmlrpc.client import Fault

import httpx
import psutil
from processes import tree
from stack import StackError
from supervise import Starts, Supervisor

Answer = TypeVar("Answer")

# Without an answer and without work done.
SECONDS = 240.0
REMIND = 30.0
# Who works wants a core nearly always, whether or not it gets it; an idle server, for its own
# clocks, hardly ever.
_WORKING = 0.2
_PAUSE = 0.3


@dataclass
class Patience:
    """Asks a stack's programs again and again.

    over: set when nobody waits any more. seconds: how long a program may neither answer nor work.
    """

    supervisor: Supervisor
    say: Callable[[str], None]
    over: threading.Event = field(default_factory=threading.Event)
    seconds: float = SECONDS

    def ask(self, name: str, question: Callable[[], Answer]) -> Answer:
        """The program's answer; calls without one, and faults of the server, are repeated.

        Raises StackError, with the program's name and log, when it ended, or neither answers nor
        works.
        """
        watch = _Watch(self, name)
        while True:
            try:
                return question()
            except httpx.TransportError as error:
                watch.wait(f"{type(error).__name__}: {error}".rstrip(": "))
            except httpx.HTTPStatusError as error:
                if not error.response.is_server_error:
                    raise
                watch.wait(f"it answers {error.response.status_code}")

    def until(self, name: str, probe: Callable[[], bool]) -> None:
        """Return when the probe is true; what it raises until then is no answer. As `ask`."""
        watch = _Watch(self, name)
        while True:
            try:
                if probe():
                    return
                found = "it answers, but not that it is ready"
            except (httpx.HTTPError, ValueError, KeyError) as error:
                found = str(error) or type(error).__name__
            watch.wait(found)


class _Watch:
    """One wait for one program: its life, its work, and what was said of it."""

    def __init__(self, patience: Patience, name: str) -> None:
        self._patience = patience
        self._name = name
        self._starts = Starts(patience.supervisor)
        self._log = patience.supervisor.home / "logs" / f"{name}.log"
        self._began = self._worked_at = self._said_at = time.monotonic()
        self._seen = (self._began, self._work())

    def wait(self, found: str) -> None:
        """A pause; raises StackError when there is nothing to wait for."""
        now = time.monotonic()
        self._require_life()
        at, work = self._seen
        if now - at >= 1:
            done = self._work()
            if done - work > _WORKING * (now - at):
                self._worked_at = now
            self._seen = (now, done)
        if now - self._worked_at > self._patience.seconds:
            raise StackError(
                f"{self._name} neither answers ({found}) nor works since "
                f"{now - self._worked_at:.0f} s: see the end of its log {self._log}:\n"
                f"{self._patience.supervisor.tail(self._name)}"
            )
        if now - self._said_at > REMIND:
            self._said_at = now
            self._patience.say(
                f"  ... waiting for {self._name} since {now - self._began:.0f} s ({found}); "
                f"its log: {self._log}"
            )
        if self._patience.over.wait(_PAUSE):
            raise StackError(f"nobody waits for {self._name} any more")

    def _require_life(self) -> None:
        if self._patience.supervisor.process is None:
            raise StackError(
                f"{self._name} was stopped with its stack in {self._patience.supervisor.home}: "
                "start it again with `make up`"
            )
        try:
            self._starts.check(self._name)
        except Fault:
            return  # It is the user's own, elsewhere.
        except OSError as error:
            raise StackError(f"supervisord ended meanwhile ({error}): run `make up`") from error

    def _work(self) -> float:
        """Seconds in which the program and its children had or wanted a core."""
        try:
            pid = self._patience.supervisor.info(self._name)["pid"]
        except (Fault, OSError, KeyError):
            return 0.0
        return sum(map(wanted, tree(pid).values())) if pid else 0.0


def wanted(process: psutil.Process) -> float:
    """Seconds for which a process ran, or waited for a core: on a busy machine it gets few."""
    try:
        parts = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
        taken = [part.read_text().split()[:2] for part in parts]
        if taken:
            return sum(int(ran) + int(waited) for ran, waited in taken) / 1e9
        times = process.cpu_times()  # Where the kernel does not tell what was waited.
        return float(times.user + times.system)
    except (OSError, psutil.Error):
        return 0.0
