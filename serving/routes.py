"""The endpoints. Each takes the state once and answers from it alone."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import AwareDatetime

from contracts.store import StoreUnavailable
from serving.answer import (
    ErrorAnswer,
    ModelAnswer,
    PredictAnswer,
    PredictRequest,
    Symbol,
    json_response,
)
from serving.errors import ApiError
from serving.service import Service
from serving.view import Row, View, decided_by

router = APIRouter()

_REFUSALS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "unknown_symbol, no_prediction"},
    422: {"model": ErrorAnswer, "description": "invalid_request, unknown_horizon"},
    503: {"model": ErrorAnswer, "description": "no_champion, database_unavailable"},
}


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


ServiceDep = Annotated[Service, Depends(_service)]


def _served(service: Service) -> View:
    state = service.watch.state
    if state.view is None:
        raise ApiError(503, "no_champion", f"no champion is served: {state.waiting}")
    return state.view


@router.post("/predict", response_model=PredictAnswer, responses=_REFUSALS)
async def predict(asked: PredictRequest, request: Request, service: ServiceDep) -> Response:
    """Forecasts of the champion for one or many symbols, newest or as they were decided then."""
    view = _served(service)
    if asked.horizon not in (None, view.manifest.horizon):
        raise ApiError(
            422,
            "unknown_horizon",
            f"the champion forecasts a horizon of {view.manifest.horizon} session(s), asked for "
            f"{asked.horizon}: leave horizon out or ask for {view.manifest.horizon}",
        )
    rows = await _rows(service, view, asked)
    now = datetime.now(UTC)
    return json_response(
        {
            "predictions": [view.answer(rows[symbol], now) for symbol in asked.asked],
            "request_id": request.state.request_id,
        }
    )


@router.get("/predict/{symbol}", response_model=PredictAnswer, responses=_REFUSALS)
async def predict_one(
    symbol: Annotated[Symbol, Path()],
    request: Request,
    service: ServiceDep,
    horizon: Annotated[int | None, Query()] = None,
    as_of: Annotated[AwareDatetime | None, Query()] = None,
) -> Response:
    """As `POST /predict`, for one symbol."""
    asked = PredictRequest(symbol=symbol, horizon=horizon, as_of=as_of)
    return await predict(asked, request, service)


async def _rows(service: Service, view: View, asked: PredictRequest) -> Mapping[str, Row]:
    as_of = asked.as_of
    held = {s: view.newest[s] for s in asked.asked if s in view.newest}
    rows = {s: row for s, row in held.items() if as_of is None or row["as_of"] <= as_of}
    absent = [s for s in asked.asked if s not in rows]
    if absent and as_of is not None:
        rows |= await _earlier(service, view, absent, as_of)
        absent = [s for s in absent if s not in rows]
    unknown = [s for s in absent if s not in held]
    if unknown:
        raise ApiError(
            404,
            "unknown_symbol",
            f"no forecasts for {', '.join(unknown)}: the universe {view.champion.universe!r} has "
            f"{len(view.newest)} symbols, GET /model/info lists them",
            unknown=unknown,
        )
    if absent:
        raise ApiError(
            404,
            "no_prediction",
            f"{', '.join(absent)}: version {view.champion.model_version} decided nothing at or "
            f"before {as_of}; ask for a later as_of",
        )
    return rows


async def _earlier(
    service: Service, view: View, symbols: Sequence[str], as_of: datetime
) -> Mapping[str, Row]:
    bundle, loop = view.champion.bundle, asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(
            service.readers, decided_by, service.store, bundle, symbols, as_of
        )
    except StoreUnavailable as error:
        raise ApiError(
            503,
            "database_unavailable",
            "earlier forecasts lie in the database, which does not answer: leave as_of out for "
            "the newest ones, or ask again later",
        ) from error


@router.get("/model/info", response_model=ModelAnswer, responses={503: _REFUSALS[503]})
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


@router.get("/health/live")
async def live() -> dict[str, str]:
    """200 as long as the process answers."""
    return {"status": "live"}


@router.get("/health/ready", responses={503: {"model": ErrorAnswer}})
async def ready(service: ServiceDep) -> dict[str, object]:
    """200 when a checked champion is served and the database answered the last look.

    Without the database the newest forecasts are still answered, with their age: readiness then
    says that they no longer renew themselves.
    """
    view = _served(service)
    if not service.watch.state.database:
        raise ApiError(
            503,
            "database_unavailable",
            "the database does not answer; the newest forecasts are served from memory",
        )
    return {"status": "ready", "version": view.champion.model_version}


@router.get("/metrics", include_in_schema=False)
async def metrics(service: ServiceDep) -> Response:
    """What Prometheus scrapes."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
