"""Who answers: the served champion."""

from fastapi import APIRouter, Response

from serving.forms.answer import ModelAnswer, json_response
from serving.routes.admission import ALWAYS, ServiceDep, refusals, served

keyed = APIRouter()


@keyed.get("/model/info", response_model=ModelAnswer, responses=refusals(*ALWAYS))
async def model_info(service: ServiceDep) -> Response:
    """Who is served, what it is made of, whom it answers for, and who is in office."""
    view, state = served(service), service.watch.state
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
