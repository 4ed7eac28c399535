"""Around every request: an id, the disclaimer, a cap, a line of log, metrics, no stack trace."""

import logging
import os
import re
import time
from asyncio import CancelledError
from typing import Any, cast

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.edge.errors import ApiError, error_response
from serving.edge.journal import Call, Journal
from serving.edge.metrics import Metrics
from serving.edge.workers import Phase

log = logging.getLogger(__name__)

DISCLAIMER = "For research only. Not investment advice."
# Room for the most symbols that may be asked, each of the longest.
MOST_BYTES = 262_144
# How a call is counted whose caller left before it was whole (nginx's number).
LEFT = 499
# An id that a caller brings is kept when it can be put into a header and a log.
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_QUIET = ("/health/live", "/health/ready", "/metrics")
_DISCLAIMER = (b"x-disclaimer", DISCLAIMER.encode())
_CLOSE = (b"connection", b"close")


class Requests:
    """ASGI middleware; as such it sees what frameworks' own middleware cannot: a broken answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics, journal: Journal, phase: Phase) -> None:
        self._app = app
        self._metrics = metrics
        self._journal = journal
        self._phase = phase

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        stamps = [(b"x-request-id", request_id.encode()), _DISCLAIMER]
        started, status = time.perf_counter(), 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *stamps]
                if self._phase.stopping:  # Another worker or host takes the next one.
                    message["headers"].append(_CLOSE)
            await send(message)

        try:
            if too_long := _declared_too_long(headers):
                await error_response(request_id, too_long)(scope, receive, stamped)
            else:
                capped = _Capped(receive) if b"transfer-encoding" in headers else receive
                await self._app(scope, capped, stamped)
        except ClientDisconnect:
            # It left in the middle of its request: nobody is there to be told.
            status = status or LEFT
        except CancelledError:
            status = status or 503
            raise
        except Exception:
            log.exception("request failed", extra={"request_id": request_id})
            if status:  # Half an answer is out: only the connection can tell now.
                raise
            told = "this is our fault and was logged; quote the request id"
            error = error_response(request_id, ApiError(500, "internal_error", told))
            await error(scope, receive, stamped)
        finally:
            self._observe(scope, status, time.perf_counter() - started)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's pattern, never the path: a metric has few series, whatever is asked.
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.observe(scope["method"], route, status, seconds)
        if route in _QUIET:
            return
        state = cast(dict[str, Any], scope["state"])
        fields = {
            "request_id": state["request_id"],
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "seconds": round(seconds, 6),
            "caller": state.get("caller"),
        }
        log.info("request", extra=fields)
        # Only who was admitted is recorded: others could fill the table.
        if "caller" in state:
            asked = state.get("symbols", ()), state.get("universe"), state.get("version")
            known = state["request_id"], time.time(), scope["method"], route, status, seconds
            self._journal.add(Call(*known, *asked, state["caller"]))


class _Capped:
    """A request's body of unknown length, refused as soon as it is too long."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._bytes = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > MOST_BYTES:
            raise _too_long(f"more than {self._bytes}")
        return message


def _declared_too_long(headers: dict[bytes, bytes]) -> ApiError | None:
    # The protocol has checked that it is a number and that the body has this length.
    length = int(headers.get(b"content-length", b"0"))
    return _too_long(str(length)) if length > MOST_BYTES else None


def _too_long(found: str) -> ApiError:
    return ApiError(
        413,
        "body_too_long",
        f"a request's body may have {MOST_BYTES} bytes, found {found}: ask in several calls",
    )


def _request_id(headers: dict[bytes, bytes]) -> str:
    brought = headers.get(b"x-request-id", b"")
    return brought.decode() if _ID.fullmatch(brought) else os.urandom(16).hex()
