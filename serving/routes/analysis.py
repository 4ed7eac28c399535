"""One symbol by all champions, and all symbols by one."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from serving.edge.errors import ApiError
from serving.forms.answer import (
    AskedUniverse,
    PredictRequest,
    Symbol,
    Universe,
    json_response,
)
from serving.forms.outlook import AnalysisAnswer, Order, RankingAnswer
from serving.routes.admission import ALWAYS, refusals
from serving.routes.arms import by_arm
from serving.routes.choice import OFFICE, UNIVERSE, answers, view
from serving.served.served import View
from serving.served.state import ABOUT, State, foretold, numbers

keyed = APIRouter()


@keyed.get(
    "/analysis/{symbol}",
    response_model=AnalysisAnswer,
    responses=refusals(*ALWAYS, *UNIVERSE, "404 unknown_symbol"),
)
async def analysis(
    request: Request,
    symbol: Annotated[Symbol, Path()],
    universe: AskedUniverse = None,
) -> Response:
    """Everything that is foretold of a symbol: each target by its champion."""
    asked = PredictRequest(symbol=symbol, universe=universe, horizon=None, as_of=None)
    request.state.symbols = [symbol]

    def where(state: State) -> str:
        return answers(state, asked).main.champion.universe

    async def told(state: State, notes: Any) -> Response:
        notes.universe = name = where(state)
        return _analysis(state, name, symbol)

    return await by_arm(request, where, told)


def _analysis(state: State, name: str, symbol: str) -> Response:
    known = [(v, v.newest[symbol]) for v in _views(state, name) if symbol in v.newest]
    if not known:
        raise ApiError(404, "unknown_symbol", f"{name} has no forecast of {symbol}: see /assets")
    row = max((row for _, row in known), key=lambda one: one["as_of"])
    return json_response(
        {
            **{"universe": name, "symbol": symbol, "instrument_id": row["instrument_id"]},
            **{"session": row["session"], "as_of": row["as_of"]},
            "data_age_seconds": time.time() - row["as_of"].timestamp(),
            "data_origin": known[0][0].data_origin,
            "forecasts": [_said(v, foretold(v, each)) for v, each in known],
        }
    )


@keyed.get(
    "/ranking/{universe}",
    response_model=RankingAnswer,
    responses=refusals(*ALWAYS, *OFFICE, "422 unknown_number"),
)
async def ranking(
    request: Request,
    universe: Annotated[Universe, Path()],
    order: Annotated[Order, Query()] = Order(),
) -> Response:
    """The symbols of a universe in the order of their newest forecasts."""

    async def told(state: State, notes: Any) -> Response:
        found = view(state, universe, order.target)
        notes.universe, notes.version = universe, found.champion.model_version
        return _ranking(found, universe, order)

    return await by_arm(request, lambda _: universe, told)


def _ranking(found: View, universe: str, order: Order) -> Response:
    session = max(row["session"] for row in found.newest.values())
    new = {s: row for s, row in found.newest.items() if row["session"] == session}
    values = {symbol: _number(found, numbers(row), order.by) for symbol, row in new.items()}
    # Equal ones by name, so that the order is always the same.
    sign = 1.0 if order.ascending else -1.0
    placed = sorted(values, key=lambda symbol: (sign * values[symbol], symbol))
    return json_response(
        {
            **{"universe": universe, "target": found.office.target, "session": session},
            **{"horizon": found.manifest.horizon, "by": order.by or found.manifest.objective},
            "model_version": found.champion.model_version,
            "data_origin": found.data_origin,
            "ranking": [
                {"rank": place, "symbol": symbol, "value": values[symbol]}
                | {"prediction_id": new[symbol]["prediction_id"]}
                for place, symbol in enumerate(placed[: order.limit], 1)
            ],
            "older": sorted(set(found.newest) - set(new)),
        }
    )


def _views(state: State, universe: str) -> list[View]:
    views = (seat.view for office, seat in state.seats.items() if office.universe == universe)
    return sorted(
        (view for view in views if view is not None),
        key=lambda view: (view.manifest.objective, view.manifest.horizon),
    )


def _said(view: View, told: dict[str, Any]) -> dict[str, Any]:
    says = {name: value for name, value in told.items() if name not in ABOUT}
    about = {name: told[name] for name in ABOUT}
    return {"objective": view.manifest.objective, "says": says, **about}


def _number(view: View, known: dict[str, Any], by: str | None) -> float:
    if by is None:
        return view.manifest.asked.rank(known)
    told = sorted(set(known) & {*view.manifest.asked.columns, *_plain(known)})
    if by not in told:
        raise ApiError(
            422,
            "unknown_number",
            f"forecasts of {view.office.target} have no number {by!r}: ask by {', '.join(told)}",
        )
    return float(known[by])


def _plain(known: dict[str, Any]) -> set[str]:
    return {name for name, value in known.items() if isinstance(value, float)}
