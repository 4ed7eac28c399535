"""Why: what a forecast rests on, as it was written down with it."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from serving.edge.errors import ApiError
from serving.forms.answer import json_response
from serving.forms.explanation import ExplainAnswer
from serving.routes.admission import ALWAYS, ServiceDep, refusals
from serving.served.explained import explanation

SECONDS = 8.0

keyed = APIRouter()


@keyed.get(
    "/explain/{prediction_id}",
    response_model=ExplainAnswer,
    responses=refusals(
        *ALWAYS[:3],
        *("404 unknown_prediction", "404 no_explanation", "422 invalid_request"),
        "503 database_unavailable",
    ),
)
async def explain(
    request: Request,
    service: ServiceDep,
    prediction_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$")],
) -> Response:
    """What each feature added to a forecast, model by model."""
    found = await service.read(
        lambda: explanation(service.store, prediction_id), SECONDS, "explanations"
    )
    if found is None:
        raise ApiError(
            404, "unknown_prediction", f"there is no forecast {prediction_id}: see /predict"
        )
    request.state.universe, request.state.symbols = found["universe"], [found["symbol"]]
    if found["parts"] is None:
        raise ApiError(
            404,
            "no_explanation",
            f"nothing was kept of what {prediction_id} ({found['origin']}, {found['target']}) "
            "rests on: only live forecasts of models that explain themselves have it",
        )
    return json_response(found)
