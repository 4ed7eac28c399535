"""Folders for Ray under the state folder: gone with their process, or with the next one.

A folder's owner holds a lock on a file beside it, so one without an owner is known as such.
"""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

# Of a socket's 107 characters Ray takes up to 67 below its folder.
_LONGEST = 40


def scratch_root(home: Path) -> Path:
    """The folder that holds all of a home's."""
    return home.absolute() / "ray"


def _links(home: Path) -> str:
    return f"finpulse-ray-{hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:10]}"


@contextmanager
def scratch(home: Path) -> Iterator[str]:
    """A folder of this process's own, short enough for sockets; those of lost ones are removed.

    Where the state lies too deep, a link in the temporary directory leads to it.
    """
    root = scratch_root(home)
    root.mkdir(parents=True, exist_ok=True)
    sweep(home)
    folder = root / uuid4().hex[:8]
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(mode=0o700)
        named = folder
        if len(str(folder)) > _LONGEST:
            named = Path(tempfile.gettempdir()) / f"{_links(home)}-{folder.name}"
            named.symlink_to(folder)
        try:
            yield str(named)
        finally:
            _remove(home, folder)


def sweep(home: Path) -> None:
    """Remove what processes that are gone have left."""
    for lock in scratch_root(home).glob("*.lock"):
        with suppress(FileNotFoundError, BlockingIOError), lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(home, lock.with_suffix(""))
    for left in Path(tempfile.gettempdir()).glob(f"{_links(home)}*"):
        if left.is_symlink() and not left.exists():
            left.unlink(missing_ok=True)
        elif left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)  # Of a version before.


def _remove(home: Path, folder: Path) -> None:
    (Path(tempfile.gettempdir()) / f"{_links(home)}-{folder.name}").unlink(missing_ok=True)
    # Ray's processes may still write while they end.
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
    with suppress(OSError):
        folder.with_suffix(".lock").unlink()
