"""Which line-up answers a caller: the champions', or that with a staged challenger in it.

A challenger that fails to answer is answered for by the champion: its callers see no difference.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from itertools import count
from types import SimpleNamespace
from typing import Any

from fastapi import Request, Response

from serving.edge.errors import ApiError
from serving.edge.metrics import ANSWERED, FAILED, REFUSED
from serving.routes.admission import service_of
from serving.routes.choice import served
from serving.served.state import Staged, State

log = logging.getLogger(__name__)

# In shadow, one of so many calls is answered by the challenger too, and of no more at once.
SHADOWED, MOST_SHADOWS = 4, 32

_turns = count()
_shadows: set["asyncio.Task[None]"] = set()

# What is told of a state, and where it is noted of whom: `universe`, `version`.
Answer = Callable[[State, Any], Awaitable[Response]]


def caller(request: Request) -> str:
    """Who calls, as shares are drawn by: the API key's name, else X-Caller, else the address."""
    named = getattr(request.state, "caller", None) or request.headers.get("x-caller")
    return named or (request.client.host if request.client else "")


async def by_arm(request: Request, where: Callable[[State], str], answer: Answer) -> Response:
    """The answer of the line-up that the caller belongs to; where: the universe that is asked."""
    state = served(service_of(request))
    arm = state.staged.get(where(state)) if state.staged else None
    if arm is None:
        return await answer(state, request.state)
    if arm.rollout.takes(caller(request)):
        return await _challenged(request, state, arm, answer)
    started, outcome = time.perf_counter(), FAILED
    try:
        told = await answer(state, request.state)
        outcome = ANSWERED
    except ApiError as error:
        outcome = FAILED if error.status >= 500 else REFUSED
        raise
    finally:
        arm.champion.count(outcome, time.perf_counter() - started)
    if not arm.rollout.share and not next(_turns) % SHADOWED and len(_shadows) < MOST_SHADOWS:
        shadow = asyncio.create_task(_shadowed(state, arm, answer))
        _shadows.add(shadow)
        shadow.add_done_callback(_shadows.discard)
    return told


async def _challenged(request: Request, state: State, arm: Staged, answer: Answer) -> Response:
    started = time.perf_counter()
    try:
        told = await _by_challenger(state, arm, answer, request.state)
    except Exception as error:
        spent = time.perf_counter() - started
        told = await _instead(request, state, arm, answer, (error, spent))
    else:
        arm.challenger.count(ANSWERED, time.perf_counter() - started)
    return told


async def _instead(
    request: Request,
    state: State,
    arm: Staged,
    answer: Answer,
    failed: tuple[Exception, float],
) -> Response:
    """The champion's answer; what it cannot give either is no failure of the challenger."""
    error, spent = failed
    try:
        told = await answer(state, request.state)
    except ApiError as refusal:
        same = isinstance(error, ApiError) and error.code == refusal.code
        arm.challenger.count(REFUSED if same else FAILED, spent)
        raise
    arm.challenger.count(FAILED, spent)
    about = {"request_id": request.state.request_id, "bundle": arm.rollout.bundle}
    log.error("challenger did not answer", extra=about | {"error": str(error)})
    return told


async def _shadowed(state: State, arm: Staged, answer: Answer) -> None:
    started, outcome = time.perf_counter(), FAILED
    try:
        # What is noted of it is nobody's: the call was answered by the champion.
        await _by_challenger(state, arm, answer, SimpleNamespace())
        outcome = ANSWERED
    except ApiError as error:
        outcome = FAILED if error.status >= 500 else REFUSED
    except Exception as error:
        log.error(
            "challenger did not answer in shadow",
            extra={"bundle": arm.rollout.bundle, "error": str(error)},
        )
    finally:
        arm.challenger.count(outcome, time.perf_counter() - started)


async def _by_challenger(state: State, arm: Staged, answer: Answer, notes: Any) -> Response:
    if arm.fault:
        raise RuntimeError(arm.fault)
    return await answer(state.beside(arm.rollout.universe), notes)
