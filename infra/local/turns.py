"""One at a time: who starts or demonstrates a stack waits for another who does."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(home: Path, what: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the home's lock `what` inside; says for whom it has to wait.

    The lock of a process that is killed is free at once.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = home / f"{what}.lock"
    while True:
        with path.open("a+") as file:
            _wait(file.fileno(), path, f"`make {what}`", say)
            # `make clean` may have removed it meanwhile: then it locks nothing.
            if not _is(path, file.fileno()):
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                continue
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
            return


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _wait(descriptor: int, path: Path, who: str, say: Callable[[str], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = path.read_text() or "?"
        say(f"another {who} (process {pid}) is at work in {path.parent}: waiting for its end")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
