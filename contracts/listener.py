"""HTTP for the services: no caller makes one wait for ever, and none takes what others need.

uvicorn's protocol waits without end for the rest of a request and for a caller that does not read,
and takes connections until the descriptors are used up. Here each part of a request has its time
and its room, and where connections run out, who has kept us waiting longest makes room.
"""

import asyncio
import os
import resource
import socket
from contextlib import suppress
from functools import cache
from itertools import islice
from typing import Any

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from contracts.settings import SettingsError

HEAD_SECONDS, BODY_SECONDS = 10.0, 20.0
# For what is being answered when the server is to end.
END_SECONDS = 5
# For the rest of an answer that nobody reads, and for a closed connection to be gone.
SEND_SECONDS, CLOSE_SECONDS = 20.0, 5.0
# The second is more than any body that is read to its end.
MOST_HEAD, MOST_BODY = 32_768, 1_048_576
MOST_CONNECTIONS = 4_096
# Descriptors for the database, files and logs.
_RESERVED = 64
_LOOKED_AT = 64
_SWEEP_SECONDS = 0.5

_HEAD, _BODY, _ANSWER, _IDLE = range(4)
_TOLD = {
    400: ("Bad Request", "malformed_request", "this is no HTTP/1.1 request"),
    408: (
        "Request Timeout",
        "request_timeout",
        f"a request's head has {HEAD_SECONDS:.0f} s to arrive and its body {BODY_SECONDS:.0f} s",
    ),
    413: ("Content Too Large", "body_too_long", f"more than {MOST_BODY} bytes: ask in several"),
    431: (
        "Request Header Fields Too Large",
        "head_too_long",
        f"path and headers may have {MOST_HEAD} bytes together",
    ),
    503: ("Service Unavailable", "too_many_connections", "all are in use: ask again later"),
}


def listen(host: str, port: int, key: str) -> socket.socket:
    """The listening socket; raises SettingsError, which names `key`, the port's setting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"cannot listen on {host}:{port} ({said}): end the program that does, or set {key}"
        ) from error


@cache
def most_connections() -> int:
    """How many connections this process takes at once; raises its limit of descriptors first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _RESERVED
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft < 0 else max(8, min(MOST_CONNECTIONS, soft - _RESERVED))


class Patient(HttpToolsProtocol):
    """One connection: which part of a request is due, until when, and how much of it came."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, or make room first by closing one that has waited longest for its caller."""
        super().connection_made(transport)
        self.part = _HEAD
        # Counted, not timed, while calls come in: the clock is asked by the sweeper alone.
        self._steps = self._seen = self._bytes = 0
        self._whole = True
        self._stuck: float | None = None
        self.since = self.loop.time()
        if len(self.connections) > most_connections():
            others = [c for c in islice(self.connections, _LOOKED_AT) if c is not self]
            waiting = [c for c in others if isinstance(c, Patient) and c.part != _ANSWER]
            min(waiting, key=lambda c: c.since, default=self).dismiss(503)

    def data_received(self, data: bytes) -> None:
        """Parse it, unless it is more than there is room for."""
        steps = self._steps
        super().data_received(data)
        # A piece that ends one part is not counted to the next: it has some kilobytes at most.
        if steps != self._steps:
            self._bytes = 0
            return
        self._bytes += len(data)
        if self.part == _BODY and self._bytes > MOST_BODY:
            self.dismiss(413)
        elif self.part != _BODY and self._bytes > MOST_HEAD:
            self.dismiss(431)

    def on_message_begin(self) -> None:
        """The head has some seconds from its first byte, however it trickles."""
        super().on_message_begin()
        self.part, self._whole = _HEAD, False
        self._steps += 1

    def on_headers_complete(self) -> None:
        """So has the body."""
        super().on_headers_complete()
        self.part = _BODY
        self._steps += 1

    def on_message_complete(self) -> None:
        """From here on it is the caller who waits."""
        super().on_message_complete()
        answered = self.cycle is None or self.cycle.response_complete
        self.part, self._whole = _IDLE if answered else _ANSWER, True
        self._steps += 1

    def on_response_complete(self) -> None:
        """The next request is due, or still the rest of this one's body."""
        super().on_response_complete()
        if self._whole and not self.pipeline and self.cycle.response_complete:
            self.part = _IDLE
            self._steps += 1

    def sweep(self, now: float) -> None:
        """Called twice a second: end what took too long."""
        closing = self.transport.is_closing()
        if closing or self.flow.write_paused:
            self._stuck = now if self._stuck is None else self._stuck
            if now - self._stuck > (CLOSE_SECONDS if closing else SEND_SECONDS):
                self.transport.abort()
            return
        self._stuck = None
        limit = BODY_SECONDS if self.part == _BODY else HEAD_SECONDS
        if self._seen != self._steps:
            self._seen, self.since = self._steps, now
        elif self.part != _ANSWER and now - self.since > limit:
            self.dismiss(408)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Refuse what is no HTTP in the form of every refusal."""
        self.dismiss(400)

    def dismiss(self, status: int) -> None:
        """Tell a caller whose request is under way why, and close the connection."""
        if self.transport.is_closing():
            return
        under_way = self.part == _BODY or (self.part == _HEAD and not self._whole) or status == 400
        answered = self.cycle is not None and self.cycle.response_started and self.part == _BODY
        if (under_way and not answered) or status == 503:
            phrase, code, message = _TOLD[status]
            body = orjson.dumps(
                {"code": code, "message": message, "request_id": os.urandom(16).hex()}
            )
            head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json\r\n"
            head += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode() + body)
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server that looks after its connections."""

    def __init__(self, app: Any, **more: Any) -> None:
        options: dict[str, Any] = {
            "loop": "uvloop",
            "http": Patient,
            "ws": "none",
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "timeout_graceful_shutdown": END_SECONDS,
        }
        super().__init__(uvicorn.Config(app, **options | more))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and to sweep."""
        most_connections()
        await super().startup(sockets)
        self._sweeper = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            for connection in list(self.server_state.connections):
                if isinstance(connection, Patient):
                    connection.sweep(now())
