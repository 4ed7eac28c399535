"""The endpoints. Each takes the state once and answers from it alone."""

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import ValidationError

from contracts.store import StoreUnavailable
from serving.edge.errors import ApiError, invalid
from serving.forms.answer import (
    AsOf,
    AssetsAnswer,
    ErrorAnswer,
    LiveAnswer,
    ModelAnswer,
    PredictAnswer,
    PredictRequest,
    ReadyAnswer,
    Symbol,
    json_response,
)
from serving.served.served import Told, View, decided_by
from serving.service import Service

# Longer than the database has for its answer.
EARLIER_SECONDS = 8.0

_KEY = APIKeyHeader(
    name="X-API-Key", auto_error=False, description="needed where FINPULSE_API_KEYS is set"
)


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


ServiceDep = Annotated[Service, Depends(_service)]


def _admit(request: Request) -> None:
    state = request.state
    state.caller = _service(request).access.admit(request.headers.get("x-api-key"))


async def _admitted(request: Request, _: Annotated[str | None, Security(_KEY)]) -> None:
    _admit(request)


class Direct(APIRoute):
    """A route whose endpoint takes the bare request.

    FastAPI documents it and stays out of its way: it solves no dependency and parses no body, so
    that the endpoint itself admits the caller.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint as it is."""
        return cast(Callable[[Request], Coroutine[Any, Any, Response]], self.endpoint)


def _refusals(*codes: str) -> dict[int | str, dict[str, Any]]:
    """How a route may refuse, as `status code` words of the OpenAPI document."""
    found: dict[int | str, dict[str, Any]] = {}
    for status, code in (each.split() for each in codes):
        known = found.setdefault(int(status), {"model": ErrorAnswer, "description": ""})
        known["description"] = ", ".join(filter(None, (known["description"], code)))
    return found


_ALWAYS = ("401 key_missing", "401 key_unknown", "429 quota_exhausted", "503 no_champion")
_SYMBOLS = (
    *("404 unknown_symbol", "404 no_prediction", "422 invalid_request"),
    *("422 unknown_horizon", "422 future_as_of", "503 database_unavailable"),
)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": PredictRequest.model_json_schema()}},
    }
}

_CALL = _refusals(*_ALWAYS, *_SYMBOLS)

direct = APIRouter(route_class=Direct)
keyed = APIRouter(dependencies=[Depends(_admitted)])
health = APIRouter()


def _served(service: Service) -> View:
    state = service.watch.state
    if state.view is None:
        raise ApiError(503, "no_champion", f"no champion is served: {state.waiting}")
    return state.view


@direct.post(
    "/predict",
    response_model=PredictAnswer,
    responses=_CALL | _refusals("413 body_too_long"),
    openapi_extra=_BODY,
)
async def predict(request: Request) -> Response:
    """Forecasts of the champion for one or many symbols, newest or as they were decided then."""
    _admit(request)
    try:
        asked = PredictRequest.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid(error.errors()) from None
    return await _answer(request, asked)


@keyed.get("/predict/{symbol}", response_model=PredictAnswer, responses=_CALL)
async def predict_one(
    symbol: Annotated[Symbol, Path()],
    request: Request,
    horizon: Annotated[int | None, Query()] = None,
    as_of: Annotated[AsOf | None, Query()] = None,
) -> Response:
    """As `POST /predict`, for one symbol."""
    return await _answer(request, PredictRequest(symbol=symbol, horizon=horizon, as_of=as_of))


async def _answer(request: Request, asked: PredictRequest) -> Response:
    service, now = _service(request), time.time()
    view = _served(service)
    # What the table `requests` tells of this call.
    request.state.symbols, request.state.version = asked.asked, view.champion.model_version
    if asked.horizon not in (None, view.manifest.horizon):
        raise ApiError(
            422,
            "unknown_horizon",
            f"the champion forecasts a horizon of {view.manifest.horizon} session(s), asked for "
            f"{asked.horizon}: leave horizon out or ask for {view.manifest.horizon}",
        )
    if asked.as_of is not None and asked.as_of.timestamp() > now:
        raise ApiError(
            422,
            "future_as_of",
            f"as_of {asked.as_of} lies in the future: leave it out for the newest forecasts",
        )
    told = await _told(service, view, asked)
    body = b'{"predictions":[%b],"request_id":"%b"}' % (
        b",".join(told[symbol].at(now) for symbol in asked.asked),
        request.state.request_id.encode(),
    )
    return Response(body, media_type="application/json")


async def _told(service: Service, view: View, asked: PredictRequest) -> Mapping[str, Told]:
    as_of, newest = asked.as_of, view.told
    if as_of is None:
        told = {s: newest[s] for s in asked.asked if s in newest}
    else:
        until = as_of.timestamp()
        held = {s: newest[s] for s in asked.asked if s in newest}
        told = {s: row for s, row in held.items() if row.decided <= until}
        if earlier := [s for s in asked.asked if s not in told]:
            rows = await _earlier(service, view, earlier, as_of)
            told |= {symbol: view.tell(row) for symbol, row in rows.items()}
    if len(told) < len(asked.asked):
        raise _absent(view, asked, [s for s in asked.asked if s not in told])
    return told


def _absent(view: View, asked: PredictRequest, symbols: Sequence[str]) -> ApiError:
    unknown = [s for s in symbols if s not in view.newest]
    if unknown:
        return ApiError(
            404,
            "unknown_symbol",
            f"no forecasts for {', '.join(unknown)}: the universe {view.champion.universe!r} has "
            f"{len(view.newest)} symbols, GET /assets lists them",
            unknown=unknown,
        )
    return ApiError(
        404,
        "no_prediction",
        f"{', '.join(symbols)}: version {view.champion.model_version} decided nothing at or "
        f"before {asked.as_of}; ask for a later as_of",
    )


async def _earlier(
    service: Service, view: View, symbols: Sequence[str], as_of: datetime
) -> Mapping[str, Mapping[str, Any]]:
    ask = partial(decided_by, service.store, view.champion.bundle, symbols, as_of)
    try:
        # Whoever asks a database that is known to be away would only keep others waiting.
        if not service.watch.database:
            raise StoreUnavailable("the last look at the ledger was not answered")
        return await service.readers.call(ask, EARLIER_SECONDS)
    except (StoreUnavailable, TimeoutError) as error:
        raise ApiError(
            503,
            "database_unavailable",
            "earlier forecasts lie in the database, which does not answer: leave as_of out for "
            "the newest ones, or ask again later",
        ) from error


@keyed.get("/assets", response_model=AssetsAnswer, responses=_refusals(*_ALWAYS))
async def assets(service: ServiceDep) -> Response:
    """Every symbol that can be asked about, with the session of its newest forecast."""
    view = _served(service)
    shown = ("symbol", "instrument_id", "session", "as_of")
    return json_response(
        {
            "universe": view.champion.universe,
            "horizon": view.manifest.horizon,
            "model_version": view.champion.model_version,
            "data_origin": view.data_origin,
            "assets": [
                {name: row[name] for name in shown} for _, row in sorted(view.newest.items())
            ],
        }
    )


@keyed.get("/model/info", response_model=ModelAnswer, responses=_refusals(*_ALWAYS))
async def model_info(service: ServiceDep) -> Response:
    """Who is served, what it is made of, whom it answers for, and who is in office."""
    view, state = _served(service), service.watch.state
    return json_response(
        {
            "version": view.champion.model_version,
            "bundle": view.champion.bundle,
            "promotion": view.champion,
            "manifest": view.manifest,
            "symbols": sorted(view.newest),
            "data_origin": view.data_origin,
            "in_office": state.in_office,
            "waiting": state.waiting,
        }
    )


@health.get("/health/live", response_model=LiveAnswer)
async def live() -> Response:
    """200 as long as the process answers."""
    return json_response({"status": "live"})


@health.get(
    "/health/ready",
    response_model=ReadyAnswer,
    responses=_refusals("503 no_champion", "503 database_unavailable", "503 stopping"),
)
async def ready(service: ServiceDep, database: bool = True) -> Response:
    """200 when a checked champion is served and the database answered the last look.

    Without the database the newest forecasts are still answered, with their age: readiness then
    says that they no longer renew themselves, unless asked with `database=false`.
    """
    if service.phase.stopping:
        raise ApiError(503, "stopping", "this process was told to end: ask another one")
    view = _served(service)
    age = (datetime.now(UTC) - view.as_of).total_seconds()
    if database and not service.watch.database:
        raise ApiError(
            503,
            "database_unavailable",
            "the database does not answer; the newest forecasts are served from memory",
            data_age_seconds=age,
        )
    version = view.champion.model_version
    return json_response({"status": "ready", "version": version, "data_age_seconds": age})


@health.get("/metrics", include_in_schema=False)
async def metrics(service: ServiceDep) -> Response:
    """What Prometheus scrapes."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


# Last, when they have their routes. The direct one's key is documented like its neighbours'.
keyed.include_router(direct)
router = APIRouter()
router.include_router(keyed)
router.include_router(health)
