"""The predictor as an ASGI app."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from contracts.database.connection import ASIDE
from contracts.store import Store
from serving.edge import errors
from serving.edge.access import OPEN, Access
from serving.edge.journal import Journal
from serving.edge.metrics import Metrics
from serving.edge.middleware import DISCLAIMER, Requests
from serving.edge.origins import allow
from serving.routes.routes import router
from serving.served.skew import SkewWatch
from serving.served.watch import Watch
from serving.service import Service
from training.bundle import bundle

# Of what callers may rely on: a change of the document needs a new one, and its file in
# docs/openapi, which `python -m serving document` writes. The first number rises where something
# goes or means something else, the second where something comes, the third where words change.
VERSION = "1.0.0"

# A database that does not even refuse must not keep the predictor from saying so.
FIRST_LOOK_SECONDS = 10.0

_DESCRIPTION = f"""Forecasts of the champions in office. **{DISCLAIMER}**

Forecasts are computed when facts arrive and never change; an answer names the one universe and
model version, the time of its decision (`as_of`) and the age of its data. Every refusal is
`{{code, message, request_id}}`. Where keys are in force, each call needs one in `X-API-Key`."""


def _operation(route: APIRoute) -> str:
    # What clients that are made from the document call the function.
    return route.name


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    parts = (service.watch, service.journal, service.skew)
    running = [asyncio.create_task(part.run()) for part in parts]
    # Calls wait on the socket meanwhile: a worker that takes them has a champion, if there is one.
    deadline = time.monotonic() + FIRST_LOOK_SECONDS
    while not service.watch.looked.is_set() and time.monotonic() < deadline:
        if service.phase.stopping:
            break
        await asyncio.sleep(0.05)
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        for task in running:
            with suppress(asyncio.CancelledError):
                await task


def create_app(
    store: Store,
    universe: str,
    load: Callable[[str], bundle.Bundle] = bundle.load,
    access: Access = OPEN,
    origins: Sequence[str] = (),
) -> FastAPI:
    """The app that serves every champion out of one database.

    universe: whom callers mean who name none. It starts without the database and without a
    champion: then it is alive and not ready. origins: whose pages may call it.
    """
    metrics = Metrics()
    watch, journal = Watch(store, universe, load, metrics), Journal(store, universe, metrics)
    # Nobody waits for the comparison, which reads histories.
    skew = SkewWatch(Store(store.url, ASIDE), watch, metrics)
    service = Service(store, watch, metrics, access, journal, skew)
    # The page of /docs carries its own scripts: the usual one would fetch them from elsewhere.
    app = FastAPIOffline(
        title="FinPulse",
        description=_DESCRIPTION,
        version=VERSION,
        lifespan=_lifespan,
        generate_unique_id_function=_operation,
    )
    app.state.service = service
    app.include_router(router)
    app.add_middleware(Requests, metrics=metrics, journal=journal, phase=service.phase)
    errors.install(app)
    allow(app, list(origins))
    return app
