"""Who can be asked about."""

from fastapi import APIRouter, Request, Response

from serving.forms.answer import AskedTarget, AskedUniverse, AssetsAnswer, json_response
from serving.routes.admission import ALWAYS, ServiceDep, refusals
from serving.routes.choice import OFFICE, served, view

keyed = APIRouter()


@keyed.get("/assets", response_model=AssetsAnswer, responses=refusals(*ALWAYS, *OFFICE))
async def assets(
    request: Request,
    service: ServiceDep,
    universe: AskedUniverse = None,
    target: AskedTarget = None,
) -> Response:
    """Every symbol that can be asked about, with the session of its newest forecast."""
    state = served(service)
    found = view(state, universe, target)
    shown = ("symbol", "instrument_id", "session", "as_of")
    request.state.universe = found.office.universe
    return json_response(
        {
            "universe": found.office.universe,
            "universes": list(state.answers),
            "target": found.office.target,
            "horizon": found.manifest.horizon,
            "model_version": found.champion.model_version,
            "data_origin": found.data_origin,
            "assets": [
                {name: row[name] for name in shown} for _, row in sorted(found.newest.items())
            ],
        }
    )
