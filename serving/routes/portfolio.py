"""What a portfolio of a universe's symbols may lose."""

import math
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from contracts.cut import Cut
from contracts.expected import Expected
from contracts.universe import universe as universe_of
from serving.edge.errors import ApiError
from serving.forms.answer import MOST_SYMBOLS, AskedUniverse, PredictRequest, json_response
from serving.forms.risk import RiskAnswer
from serving.routes.admission import ALWAYS, ServiceDep, refusals
from serving.routes.choice import UNIVERSE, answers, served
from serving.served.holdings import FEWEST, TooFewSessions, returns, risk
from serving.served.served import View

# A universe of hundreds is read in a second or two.
SECONDS = 20.0
_MOST_WEIGHT = 100.0

keyed = APIRouter()


@keyed.get(
    "/risk/{portfolio}",
    response_model=RiskAnswer,
    responses=refusals(
        *ALWAYS,
        *UNIVERSE,
        *("404 unknown_symbol", "404 no_common_universe", "422 invalid_portfolio"),
        *("404 no_returns", "422 too_few_sessions", "503 database_unavailable"),
    ),
)
async def portfolio_risk(
    request: Request,
    service: ServiceDep,
    portfolio: Annotated[
        str, Path(description="symbol:weight, ...", examples=["SIM001:0.6,SIM002:0.4"])
    ],
    universe: AskedUniverse = None,
    sessions: Annotated[int, Query(ge=FEWEST, le=5_000)] = 500,
) -> Response:
    """VaR, expected shortfall, drawdown, beta and stress of weights; what they lack is cash."""
    weights, state = _weights(portfolio), served(service)
    asked = PredictRequest(symbols=list(weights), universe=universe, horizon=None, as_of=None)
    main = answers(state, asked).main
    if missing := [symbol for symbol in weights if symbol not in main.newest]:
        raise ApiError(
            404,
            "unknown_symbol",
            f"{main.champion.universe} does not hold {', '.join(missing)}: see /assets",
            unknown=missing,
        )
    request.state.symbols, request.state.universe = list(weights), main.champion.universe

    def ask() -> dict[str, Any]:
        ids = {symbol: row["instrument_id"] for symbol, row in main.newest.items()}
        return risk(returns(service.store, _cut(main, sessions), ids), weights)

    try:
        found = await service.read(ask, SECONDS, "returns")
    except TooFewSessions as error:
        raise ApiError(422, "too_few_sessions", str(error)) from error
    except Expected as error:  # No calendar, no facts: what was served has gone since.
        raise ApiError(404, "no_returns", str(error)) from error
    about = {"universe": main.champion.universe, "weights": weights}
    return json_response(about | {"data_origin": main.data_origin} | found)


def _weights(portfolio: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in portfolio.split(","):
        symbol, colon, number = (word.strip() for word in part.rpartition(":"))
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not (colon and symbol and abs(weight) <= _MOST_WEIGHT) or symbol in found:
            raise ApiError(
                422,
                "invalid_portfolio",
                "expected symbol:weight, ... with each symbol once and weights between "
                f"{-_MOST_WEIGHT:.0f} and {_MOST_WEIGHT:.0f}, such as SIM001:0.6,SIM002:0.4; "
                f"found {part.strip()[:60]!r}",
            )
        found[symbol] = weight
    if len(found) > MOST_SYMBOLS:
        raise ApiError(422, "invalid_portfolio", f"expected at most {MOST_SYMBOLS} symbols")
    return found


def _cut(view: View, sessions: int) -> Cut:
    newest = max(view.newest.values(), key=lambda row: row["as_of"])
    about = universe_of(view.champion.universe)
    return Cut.at(about, newest["session"], newest["snapshot"]).back(sessions)
