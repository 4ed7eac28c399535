"""Who can be asked about."""

from fastapi import APIRouter, Response

from serving.forms.answer import AssetsAnswer, json_response
from serving.routes.admission import ALWAYS, refusals
from serving.routes.choice import OFFICE, ChosenDep

keyed = APIRouter()


@keyed.get("/assets", response_model=AssetsAnswer, responses=refusals(*ALWAYS, *OFFICE))
async def assets(chosen: ChosenDep) -> Response:
    """Every symbol that can be asked about, with the session of its newest forecast."""
    found = chosen.view
    shown = ("symbol", "instrument_id", "session", "as_of")
    return json_response(
        {
            "universe": found.office.universe,
            "universes": list(chosen.state.answers),
            "target": found.office.target,
            "horizon": found.manifest.horizon,
            "model_version": found.champion.model_version,
            "data_origin": found.data_origin,
            "assets": [
                {name: row[name] for name in shown} for _, row in sorted(found.newest.items())
            ],
        }
    )
