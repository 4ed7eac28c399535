"""Which processes are ours, and how much memory they take."""

import contextlib
import os
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import psutil

# Every program of the stack carries this variable, and its descendants inherit it: so a worker,
# a JVM or a Ray process that lost its parent is still known to be ours.
MARK = "STACK_HOME"


def marked(home: Path) -> list[psutil.Process]:
    """Processes that descend from a program of the stack in `home`, orphans included."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home):
                found.append(process)
    return [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def end(processes: list[psutil.Process], seconds: float = 10) -> None:
    """Ask the processes to end, then make those that do not."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, seconds)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, seconds)


def tree(*roots: int) -> dict[int, psutil.Process]:
    """The processes `roots` and all that descend from them, by id."""
    found: dict[int, psutil.Process] = {}
    for pid in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            found |= {p.pid: p for p in (root, *root.children(recursive=True))}
    return found


def proportional(process: psutil.Process) -> int:
    """Bytes of memory, shared pages divided among their users; 0 when the process is gone."""
    try:
        memory = process.memory_full_info()
    except (psutil.Error, OSError):
        return 0
    return int(getattr(memory, "pss", memory.uss))


class PeakMemory:
    """Samples the memory of process trees; `bytes` is the peak.

    roots: asked at each sample, since a tree's root may start later.
    """

    def __init__(self, roots: Callable[[], Collection[int]], seconds: float = 2) -> None:
        self.roots = roots
        self.seconds = seconds
        self.bytes = 0
        self._over = threading.Event()

    def sample(self) -> None:
        """Take one sample now."""
        self.bytes = max(self.bytes, sum(map(proportional, tree(*self.roots()).values())))

    def _run(self) -> None:
        while not self._over.wait(self.seconds):
            self.sample()

    @contextlib.contextmanager
    def watching(self) -> Iterator["PeakMemory"]:
        """Sample every few seconds while the block runs."""
        thread = threading.Thread(target=self._run, name="peak-memory", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()
            self.sample()
