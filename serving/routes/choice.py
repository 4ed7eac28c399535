"""Whom an answer comes from: which universe, which horizon, which office."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from contracts.champion import Office
from serving.edge.errors import ApiError
from serving.forms.answer import AskedTarget, AskedUniverse, PredictRequest
from serving.routes.admission import ServiceDep
from serving.served.served import View
from serving.served.state import Answers, State, Told
from serving.service import Service

# How a route that takes a universe, or an office, may refuse.
UNIVERSE = ("404 unknown_universe", "422 invalid_request")
OFFICE = (*UNIVERSE, "404 unknown_target")


def served(service: Service) -> State:
    """The state, with somebody in it who is served; raises ApiError: no_champion."""
    state = service.watch.state
    if not state.answers:
        raise ApiError(503, "no_champion", f"no champion is served: {state.why}")
    return state


def answers(state: State, asked: PredictRequest) -> Answers:
    """Who answers about the symbols: of the universe asked for, or else of the first that holds
    all of them, or all that any holds.

    Where none does, a question with `as_of` may still be one for the ledger. Raises ApiError:
    unknown_universe, unknown_horizon, unknown_symbol, no_common_universe, no_champion.
    """
    if asked.universe is not None:
        return _at(asked.universe, _universe(state, asked.universe), asked.horizon)
    told = {name: _told(horizons, asked.horizon) for name, horizons in state.answers.items()}
    name = _holder(told, asked.asked)
    if name is None:
        held = [s for s in asked.asked if any(s in symbols for symbols in told.values())]
        name = _holder(told, held) if held else None
    if name is None and asked.as_of is None:
        raise absent(state, asked, asked.asked)
    chosen = name or next(iter(told))
    return _at(chosen, state.answers[chosen], asked.horizon)


def _holder(told: Mapping[str, Mapping[str, Told]], symbols: Sequence[str]) -> str | None:
    every = (name for name, held in told.items() if all(symbol in held for symbol in symbols))
    return next(every, None)


def _universe(state: State, name: str) -> Mapping[int, Answers]:
    if name in state.answers:
        return state.answers[name]
    waiting = [f"{o}: {seat.waiting}" for o, seat in state.seats.items() if o.universe == name]
    if waiting:
        raise ApiError(503, "no_champion", f"no champion is served: {'; '.join(waiting)}")
    raise ApiError(
        404,
        "unknown_universe",
        f"the universe {name!r} has no champion; served are {', '.join(state.answers)}",
    )


def _at(universe: str, horizons: Mapping[int, Answers], horizon: int | None) -> Answers:
    if horizon is None:
        return next(iter(horizons.values()))
    if horizon not in horizons:
        known = " or ".join(map(str, horizons))
        raise ApiError(
            422,
            "unknown_horizon",
            f"{universe} is forecast over a horizon of {known} session(s), asked for {horizon}: "
            f"leave horizon out or ask for {known}",
        )
    return horizons[horizon]


def view(state: State, universe: str | None, target: str | None) -> View:
    """What is served of an office; default: that of the universe's answers.

    Raises ApiError: unknown_universe, unknown_target, no_champion.
    """
    name = universe or next(iter(state.answers))
    main = next(iter(_universe(state, name).values())).main
    seat = state.seats.get(Office(name, target or main.office.target))
    if target is None or (seat and seat.view is main):
        return main
    if seat is None:
        known = ", ".join(office.target for office in state.seats if office.universe == name)
        told = f"{name} has no champion for the target {target!r}; it has some for {known}"
        raise ApiError(404, "unknown_target", told)
    if seat.view is None:
        told = f"no champion is served: {name}/{target}: {seat.waiting}"
        raise ApiError(503, "no_champion", told)
    return seat.view


@dataclass(frozen=True)
class Chosen:
    """The state at a call, and the view in it that the call is about."""

    state: State
    view: View


async def _chosen(
    request: Request,
    service: ServiceDep,
    universe: AskedUniverse = None,
    target: AskedTarget = None,
) -> Chosen:
    # After the key, which the router asks for: first whether anybody is served, then of which
    # universe, then of which target.
    state = served(service)
    found = view(state, universe, target)
    request.state.universe = found.office.universe
    return Chosen(state, found)


ChosenDep = Annotated[Chosen, Depends(_chosen)]


def absent(
    state: State, request: PredictRequest, symbols: Sequence[str], universe: str = ""
) -> ApiError:
    """The refusal of symbols that the universe, or no universe, holds together."""
    told = {name: _told(each, request.horizon) for name, each in state.answers.items()}
    holders = {
        symbol: [name for name, held in told.items() if symbol in held] for symbol in symbols
    }
    asked = [universe] if universe else list(state.answers)
    unknown = [symbol for symbol, names in holders.items() if not set(names) & set(asked)]
    if not unknown:
        held = "; ".join(f"{symbol} is held by {' and '.join(n)}" for symbol, n in holders.items())
        return ApiError(
            404,
            "no_common_universe",
            f"no universe holds all of these symbols: {held}: ask for each universe's alone",
            universes=holders,
        )
    elsewhere = "".join(
        f"; {' and '.join(holders[symbol])} holds {symbol}" for symbol in unknown if holders[symbol]
    )
    sizes = " and ".join(f"{name!r} has {len(told[name])}" for name in asked)
    return ApiError(
        404,
        "unknown_symbol",
        f"no forecasts for {', '.join(unknown)}: the universe {sizes} symbols, GET /assets lists "
        f"them{elsewhere}",
        unknown=unknown,
        universes=holders,
    )


def _told(horizons: Mapping[int, Answers], horizon: int | None) -> Mapping[str, Told]:
    found = horizons.get(horizon) if horizon is not None else None
    return (found or next(iter(horizons.values()))).told
