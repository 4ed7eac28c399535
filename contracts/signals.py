"""Signals are heard while a statement waits for a server that hangs.

Python calls a signal's handler between two steps of its own. A driver that waits in C makes none,
and one that is called while the driver tells of an error is swallowed, or ends the process there.
"""

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType


@dataclass
class _MainThread:
    # The one that handlers run in. asked: what gives up the statement that it waits for. told: the
    # signals that came meanwhile; ears: where they arrive. turn: so that a signal from before a
    # statement is never taken for one that the statement hinders.
    asked: list[Callable[[], None]] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    ears: list[socket.socket] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)


_main = _MainThread()
# A statement may still end by itself.
_SECONDS = 1.0


def leave(number: int, _: FrameType | None) -> None:
    """A handler that ends the process as Python would: all that is open is closed on the way.

    Raises KeyboardInterrupt or SystemExit, at once or after the statement that is given up.
    """
    _main.told.append(number)
    if not _main.asked:
        _raise()


@contextmanager
def given_up_when_told(give_up: Callable[[], None]) -> Iterator[None]:
    """While inside, `give_up` may be called by another thread when a signal cannot be heard."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _main.turn:
        _main.asked.append(give_up)
        _forget()
    try:
        if not _main.told:
            yield
    finally:
        _main.asked.remove(give_up)
        if _main.told:
            _raise()


@contextmanager
def heard() -> Iterator[None]:
    """While inside, a signal that has a handler in Python ends the statement that hinders it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours, told = socket.socketpair()
    told.setblocking(False)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    interrupt = signal.getsignal(signal.SIGINT)
    if interrupt is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
    _main.ears.append(ours)
    os.register_at_fork(after_in_child=_deaf)
    threading.Thread(target=_listen, args=(ours,), name="hears signals", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        if signal.getsignal(signal.SIGINT) is leave:
            signal.signal(signal.SIGINT, interrupt)
        _main.ears.remove(ours)
        told.close()  # The listener ends with it.


def _raise() -> None:
    number = _main.told[0]
    _main.told.clear()
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def _deaf() -> None:
    # What a forked child hears is not for us; of its threads none holds the lock.
    _main.turn = threading.Lock()
    if _main.ears:
        _main.ears.clear()
        signal.set_wakeup_fd(-1)


def _forget() -> None:
    # Handlers of what came before have run: this thread is not in C.
    for ear in _main.ears:
        with suppress(BlockingIOError):
            ear.recv(64, socket.MSG_DONTWAIT)


def _listen(ours: socket.socket) -> None:
    with ours:
        while True:
            select.select([ours], [], [])
            with _main.turn:
                try:
                    numbers = ours.recv(64, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    continue
                hindering = _main.asked[-1:]
            if not numbers:
                return
            time.sleep(_SECONDS)
            # One that began since then belongs to what is closed on the way out.
            for give_up in hindering:
                if _main.asked[-1:] == [give_up]:
                    give_up()
