"""How it stands with this process: alive, ready, and counted. No key is asked for."""

from datetime import UTC, datetime

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from serving.edge.errors import ApiError
from serving.forms.answer import LiveAnswer, ReadyAnswer, json_response
from serving.routes.admission import ServiceDep, refusals, served

health = APIRouter()


@health.get("/health/live", response_model=LiveAnswer)
async def live() -> Response:
    """200 as long as the process answers."""
    return json_response({"status": "live"})


@health.get(
    "/health/ready",
    response_model=ReadyAnswer,
    responses=refusals("503 no_champion", "503 database_unavailable", "503 stopping"),
)
async def ready(service: ServiceDep, database: bool = True) -> Response:
    """200 when a checked champion is served and the database answered the last look.

    Without the database the newest forecasts are still answered, with their age: readiness then
    says that they no longer renew themselves, unless asked with `database=false`.
    """
    if service.phase.stopping:
        raise ApiError(503, "stopping", "this process was told to end: ask another one")
    view = served(service)
    age = (datetime.now(UTC) - view.as_of).total_seconds()
    if database and not service.watch.database:
        raise ApiError(
            503,
            "database_unavailable",
            "the database does not answer; the newest forecasts are served from memory",
            data_age_seconds=age,
        )
    version = view.champion.model_version
    return json_response({"status": "ready", "version": version, "data_age_seconds": age})


@health.get("/metrics", include_in_schema=False)
async def metrics(service: ServiceDep) -> Response:
    """What Prometheus scrapes."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
