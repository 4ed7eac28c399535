"""Who can be asked about."""

from fastapi import APIRouter, Response

from serving.forms.answer import AssetsAnswer, json_response
from serving.routes.admission import ALWAYS, ServiceDep, refusals, served

keyed = APIRouter()


@keyed.get("/assets", response_model=AssetsAnswer, responses=refusals(*ALWAYS))
async def assets(service: ServiceDep) -> Response:
    """Every symbol that can be asked about, with the session of its newest forecast."""
    view = served(service)
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
