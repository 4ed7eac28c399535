"""Who answers: the served champions."""

from typing import Any

from fastapi import APIRouter, Request, Response

from serving.forms.answer import AskedTarget, AskedUniverse, ModelAnswer, json_response
from serving.routes.admission import ALWAYS, ServiceDep, refusals
from serving.routes.choice import OFFICE, served, view
from serving.served.state import State

keyed = APIRouter()


@keyed.get("/model/info", response_model=ModelAnswer, responses=refusals(*ALWAYS, *OFFICE))
async def model_info(
    request: Request,
    service: ServiceDep,
    universe: AskedUniverse = None,
    target: AskedTarget = None,
) -> Response:
    """Who is served, what it is made of, whom it answers for, and who is in office."""
    state = served(service)
    found = view(state, universe, target)
    seat = state.seats[found.office]
    request.state.universe = found.office.universe
    return json_response(
        {
            "universe": found.office.universe,
            "target": found.office.target,
            "version": found.champion.model_version,
            "bundle": found.champion.bundle,
            "promotion": found.champion,
            "manifest": found.manifest,
            "symbols": sorted(found.newest),
            "data_origin": found.data_origin,
            "in_office": seat.in_office,
            "waiting": seat.waiting,
            "offices": _offices(state),
        }
    )


def _offices(state: State) -> list[dict[str, Any]]:
    return [
        {
            "universe": office.universe,
            "target": office.target,
            "version": seat.view.champion.model_version if seat.view else None,
            "in_office": seat.in_office.model_version,
            "waiting": seat.waiting,
        }
        for office, seat in state.seats.items()
    ]
