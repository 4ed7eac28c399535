"""Who answers: the served champions."""

from typing import Any

from fastapi import APIRouter, Response

from serving.forms.answer import ModelAnswer, json_response
from serving.routes.admission import ALWAYS, refusals
from serving.routes.choice import OFFICE, ChosenDep
from serving.served.state import State

keyed = APIRouter()


@keyed.get("/model/info", response_model=ModelAnswer, responses=refusals(*ALWAYS, *OFFICE))
async def model_info(chosen: ChosenDep) -> Response:
    """Who is served, what it is made of, whom it answers for, and who is in office."""
    found = chosen.view
    seat = chosen.state.seats[found.office]
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
            "offices": _offices(chosen.state),
            "staged": _staged(chosen.state),
        }
    )


def _staged(state: State) -> list[dict[str, Any]]:
    return [
        {
            "universe": one.rollout.universe,
            "target": one.rollout.target,
            "version": one.rollout.model_version,
            "bundle": one.rollout.bundle,
            "stage": one.rollout.stage,
            "share": one.rollout.share,
            "fault": one.fault,
        }
        for one in state.staged.values()
    ]


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
