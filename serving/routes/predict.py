"""Forecasts: `POST /predict` past the framework, `GET /predict/{symbol}` through it."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ValidationError

from contracts.store import StoreUnavailable
from serving.edge.errors import ApiError, invalid
from serving.forms.answer import AsOf, PredictAnswer, PredictRequest, Symbol
from serving.routes.admission import ALWAYS, Direct, admit, refusals, served, service_of
from serving.served.served import Told, View, decided_by
from serving.service import Service

# Longer than the database has for its answer.
EARLIER_SECONDS = 8.0

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

_CALL = refusals(*ALWAYS, *_SYMBOLS)

direct = APIRouter(route_class=Direct)
keyed = APIRouter()


@direct.post(
    "/predict",
    response_model=PredictAnswer,
    responses=_CALL | refusals("413 body_too_long"),
    openapi_extra=_BODY,
)
async def predict(request: Request) -> Response:
    """Forecasts of the champion for one or many symbols, newest or as they were decided then."""
    admit(request)
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
    service, now = service_of(request), time.time()
    view = served(service)
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
