"""Around every request: an id, the disclaimer, one line of log, two metrics, no stack trace."""

import logging
import re
import time
from collections.abc import MutableMapping
from typing import Any
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import ApiError, error_response
from serving.metrics import Metrics

log = logging.getLogger(__name__)

DISCLAIMER = "For research only. Not investment advice."
# An id that a caller brings is kept when it can be put into a header and a log.
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = ("/health/live", "/health/ready", "/metrics")


class Requests:
    """ASGI middleware; as such it sees what frameworks' own middleware cannot: a broken answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_headers(request_id)]
            await send(message)

        try:
            await self._app(scope, receive, stamped)
        except Exception:
            log.exception("request failed", extra={"request_id": request_id})
            if status:  # Half an answer is out: only the connection can tell now.
                raise
            told = "this is our fault and was logged; quote the request id"
            error = error_response(request_id, ApiError(500, "internal_error", told))
            await error(scope, receive, stamped)
        finally:
            self._observe(scope, request_id, status, time.perf_counter() - started)

    def _observe(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        # The route's pattern, never the path: a metric has few series, whatever is asked.
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(scope["method"], route, str(status)).inc()
        self._metrics.duration.labels(scope["method"], route).observe(seconds)
        if route not in _QUIET:
            fields: MutableMapping[str, Any] = {
                "request_id": request_id,
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "seconds": round(seconds, 6),
            }
            log.info("request", extra=fields)


def _request_id(scope: Scope) -> str:
    brought = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return brought if _ID.fullmatch(brought) else uuid4().hex


def _headers(request_id: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-request-id", request_id.encode()),
        (b"x-disclaimer", DISCLAIMER.encode()),
    ]
