"""Forecasts: `POST /predict` past the framework, `GET /predict/{symbol}` through it."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ValidationError

from contracts.champion import Office
from serving.edge.errors import ApiError, invalid
from serving.forms.answer import AsOf, PredictRequest, Symbol, Universe
from serving.forms.prediction import PredictAnswer
from serving.routes.admission import ALWAYS, Direct, admit, refusals, service_of
from serving.routes.arms import by_arm
from serving.routes.choice import UNIVERSE, absent, answers
from serving.served.served import Row, decided_by
from serving.served.state import Answers, State, Told
from serving.service import Service

# Longer than the database has for its answer.
EARLIER_SECONDS = 8.0

_SYMBOLS = (
    *("404 unknown_symbol", "404 no_common_universe", "404 no_prediction", *UNIVERSE),
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
    """Forecasts of champions for one or many symbols, newest or as they were decided then."""
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
    universe: Annotated[Universe | None, Query()] = None,
    horizon: Annotated[int | None, Query()] = None,
    as_of: Annotated[AsOf | None, Query()] = None,
) -> Response:
    """As `POST /predict`, for one symbol."""
    asked = PredictRequest(symbol=symbol, universe=universe, horizon=horizon, as_of=as_of)
    return await _answer(request, asked)


async def _answer(request: Request, asked: PredictRequest) -> Response:
    # What the table `requests` tells of this call.
    request.state.symbols = asked.asked

    def where(state: State) -> str:
        return answers(state, asked).main.champion.universe

    return await by_arm(request, where, partial(_made, request, asked))


async def _made(request: Request, asked: PredictRequest, state: State, notes: Any) -> Response:
    service, now = service_of(request), time.time()
    found = answers(state, asked)
    champion = found.main.champion
    notes.universe, notes.version = champion.universe, champion.model_version
    if asked.as_of is not None and asked.as_of.timestamp() > now:
        raise ApiError(
            422,
            "future_as_of",
            f"as_of {asked.as_of} lies in the future: leave it out for the newest forecasts",
        )
    told = await _told(service, found, asked)
    refused = [symbol for symbol in asked.asked if symbol not in told]
    if refused and not told:
        raise _absent(state, found, asked, refused)
    missing = [_missing(state, found, asked, symbol) for symbol in refused]
    body = b'{"predictions":[%b],"missing":%b,"request_id":"%b"}' % (
        b",".join(told[symbol].at(now) for symbol in asked.asked if symbol in told),
        orjson.dumps(missing),
        request.state.request_id.encode(),
    )
    return Response(body, media_type="application/json")


async def _told(service: Service, found: Answers, asked: PredictRequest) -> dict[str, Told]:
    """What is told of those of the symbols of which there is something to tell."""
    newest, as_of = found.told, asked.as_of
    known = {symbol: newest[symbol] for symbol in asked.asked if symbol in newest}
    if as_of is None:
        return known
    until = as_of.timestamp()
    told = {symbol: one for symbol, one in known.items() if one.last <= until}
    if earlier := [symbol for symbol in asked.asked if symbol not in told]:
        told |= await _earlier(service, found, earlier, as_of)
    return told


def _missing(state: State, found: Answers, asked: PredictRequest, symbol: str) -> dict[str, str]:
    error = _absent(state, found, asked, [symbol])
    return {"symbol": symbol, "code": error.code, "message": error.message}


def _absent(
    state: State, found: Answers, asked: PredictRequest, missing: Sequence[str]
) -> ApiError:
    champion = found.main.champion
    if any(symbol not in found.told for symbol in missing):
        return absent(state, asked, missing, champion.universe)
    return ApiError(
        404,
        "no_prediction",
        f"{', '.join(missing)}: version {champion.model_version} of {champion.universe} decided "
        f"nothing at or before {asked.as_of}; ask for a later as_of",
    )


async def _earlier(
    service: Service, found: Answers, symbols: Sequence[str], as_of: datetime
) -> Mapping[str, Told]:
    def ask() -> dict[Office, Mapping[str, Row]]:
        return {
            view.office: decided_by(service.store, view.champion.bundle, symbols, as_of)
            for view in found.views
        }

    otherwise = "leave as_of out for the newest ones, or ask again later"
    known = await service.read(ask, EARLIER_SECONDS, "earlier forecasts", otherwise)
    main = known[found.main.office]
    return {symbol: found.tell(row, known) for symbol, row in main.items()}
