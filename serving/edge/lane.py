"""Work past the event loop, on threads that keep no process alive when they hang."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar, cast

T = TypeVar("T")
_Task = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class Lane:
    """Threads that take calls in turn; each keeps its own connection to the database.

    Unlike those of `concurrent.futures` they are not waited for when the process ends.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self._waiting: SimpleQueue[_Task] = SimpleQueue()
        for _ in range(threads):
            threading.Thread(target=self._work, name=name, daemon=True).start()

    async def call(self, ask: Callable[[], T], seconds: float | None = None) -> T:
        """What `ask` returns or raises; raises TimeoutError when it takes longer than `seconds`.

        One that has not begun by then never will.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.put((ask, loop, future))
        return cast(T, await asyncio.wait_for(future, seconds))

    def _work(self) -> None:
        while True:
            ask, loop, future = self._waiting.get()
            if future.cancelled():
                continue
            answer, error = None, None
            try:
                answer = ask()
            except Exception as raised:
                error = raised
            with suppress(RuntimeError):  # The loop has ended meanwhile.
                loop.call_soon_threadsafe(_settle, future, answer, error)


def _settle(future: "asyncio.Future[Any]", answer: object, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(answer)
    else:
        future.set_exception(error)
