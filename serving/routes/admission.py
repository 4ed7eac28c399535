"""What endpoints share: how a caller is let in, and how they may refuse."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, cast

from fastapi import Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader

from serving.forms.answer import ErrorAnswer
from serving.service import Service

# How every route that needs a key may refuse.
ALWAYS = ("401 key_missing", "401 key_unknown", "429 quota_exhausted", "503 no_champion")

_KEY = APIKeyHeader(
    name="X-API-Key", auto_error=False, description="needed where FINPULSE_API_KEYS is set"
)


def service_of(request: Request) -> Service:
    """The app's service."""
    return cast(Service, request.app.state.service)


ServiceDep = Annotated[Service, Depends(service_of)]


def admit(request: Request) -> None:
    """Note who calls; raises ApiError: key_missing, key_unknown, quota_exhausted."""
    state = request.state
    state.caller = service_of(request).access.admit(request.headers.get("x-api-key"))


async def admitted(request: Request, _: Annotated[str | None, Security(_KEY)]) -> None:
    """As a dependency, so that `/docs` shows the key."""
    admit(request)


class Direct(APIRoute):
    """A route whose endpoint takes the bare request.

    FastAPI documents it and stays out of its way: it solves no dependency and parses no body, so
    that the endpoint itself admits the caller.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint as it is."""
        return cast(Callable[[Request], Coroutine[Any, Any, Response]], self.endpoint)


def refusals(*codes: str) -> dict[int | str, dict[str, Any]]:
    """How a route may refuse, as `status code` words of the OpenAPI document."""
    found: dict[int | str, dict[str, Any]] = {}
    for status, code in (each.split() for each in codes):
        known = found.setdefault(int(status), {"model": ErrorAnswer, "description": ""})
        known["description"] = ", ".join(filter(None, (known["description"], code)))
    return found
