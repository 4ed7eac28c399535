"""How it stands with this process: alive, ready, and counted. No key is asked for."""

from datetime import UTC, datetime

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from serving.edge.errors import ApiError
from serving.forms.answer import LiveAnswer, ReadyAnswer, json_response
from serving.routes.admission import ServiceDep, refusals
from serving.routes.choice import served, view

health = APIRouter()


@health.get("/health/live", response_model=LiveAnswer)
async def live() -> Response:
    """200 as long as the process answers."""
    return json_response({"status": "live"})


@health.get(
    "/health/ready",
    response_model=ReadyAnswer,
    responses=refusals(
        *("503 no_champion", "503 database_unavailable", "503 stopping", "422 invalid_request")
    ),
)
async def ready(service: ServiceDep, database: bool = True) -> Response:
    """200 when a checked champion of any office is served and the database answered the last look.

    `waiting` names the offices whose champion is not the one that is served, and why. Without the
    database the newest forecasts are still answered, with their age: readiness then says that they
    no longer renew themselves, unless asked with `database=false`.
    """
    if service.phase.stopping:
        raise ApiError(503, "stopping", "this process was told to end: ask another one")
    state = served(service)
    main = view(state, None, None)
    age = (datetime.now(UTC) - main.as_of).total_seconds()
    if database and not service.watch.database:
        raise ApiError(
            503,
            "database_unavailable",
            "the database does not answer; the newest forecasts are served from memory",
            data_age_seconds=age,
        )
    waiting = {str(office): s.waiting for office, s in state.seats.items() if s.waiting}
    version = main.champion.model_version
    told = {"status": "ready", "version": version, "data_age_seconds": age, "waiting": waiting}
    return json_response(told)


@health.get("/metrics", include_in_schema=False)
async def metrics(service: ServiceDep) -> Response:
    """What Prometheus scrapes."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
