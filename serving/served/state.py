"""All that is served at one moment: every office's seat, and what callers are told, immutable."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from contracts.champion import Champion, Office
from contracts.release.rollout import Rollout
from serving.edge.metrics import Arm
from serving.served.served import Row, View
from training.objective import OBJECTIVES

_OF_ROW = ("target", "horizon", "bundle", "prediction_id", "as_of")
# Whose a told forecast is, beside what it says.
ABOUT = (*_OF_ROW, "model_version")


class Told(NamedTuple):
    """A prediction as JSON without its closing brace, when it was decided, and when the last of
    all that it tells was (epoch seconds)."""

    opening: bytes
    decided: float
    last: float

    def at(self, now: float) -> bytes:
        """The whole JSON object, told at `now` (epoch seconds)."""
        return b'%b,"data_age_seconds":%.3f}' % (self.opening, now - self.decided)


@dataclass(frozen=True)
class Answers:
    """What is told of one universe at one horizon: the forecasts of `main`, and with each what the
    first view of each objective in `beside` that has some of its symbol foretells."""

    main: View
    beside: Mapping[str, tuple[View, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def told(self) -> Mapping[str, Told]:
        """The newest forecasts as they are told to callers."""
        newest = {view.office: view.newest for view in self.views}
        return {symbol: self.tell(row, newest) for symbol, row in self.main.newest.items()}

    @property
    def views(self) -> Iterator[View]:
        """The main one, and those beside it."""
        yield self.main
        for views in self.beside.values():
            yield from views

    def tell(self, row: Row, known: Mapping[Office, Mapping[str, Row]]) -> Told:
        """A stored prediction made ready for its callers: all but its age never changes.

        known: symbol -> row of each of the views beside.
        """
        champion, decided = self.main.champion, row["as_of"]
        said, last = {}, decided
        for name, views in self.beside.items():
            said[name], at = _beside(views, row["symbol"], known)
            last = max(last, at or last)
        named = {"universe": champion.universe, "model_version": champion.model_version}
        main = {field: value for field, value in row.items() if field != "forecast"}
        told = {**main, **named, "data_origin": self.main.data_origin, **said}
        return Told(orjson.dumps(told)[:-1], decided.timestamp(), last.timestamp())


def _beside(
    views: Iterable[View], symbol: str, known: Mapping[Office, Mapping[str, Row]]
) -> tuple[dict[str, Any] | None, datetime | None]:
    """What the first of the views that foretells the symbol says, and when it was decided."""
    for view in views:
        if (row := known[view.office].get(symbol)) is not None:
            return foretold(view, row), row["as_of"]
    return None, None


def numbers(row: Row) -> dict[str, Any]:
    """A stored prediction with the numbers of its forecast by name."""
    return {**row, **orjson.loads(row["forecast"])}


def foretold(view: View, row: Row) -> dict[str, Any]:
    """What a stored prediction says, and whose it is."""
    asked, known = view.manifest.asked, numbers(row)
    told = asked.answer(known) if asked.tells else {n: known[n] for n in (*asked.columns, "signal")}
    told |= {name: row[name] for name in _OF_ROW}
    return told | {"model_version": view.champion.model_version}


@dataclass(frozen=True)
class Seat:
    """One office. in_office: the champion that the ledger names. view: the one that is served.
    waiting: why that is another or none, or empty."""

    in_office: Champion
    view: View | None = None
    waiting: str = ""


@dataclass(frozen=True)
class Staged:
    """A challenger beside the champion of its office, and how both arms do.

    answers: by horizon, what is told where the challenger stands in its champion's place. fault:
    why it cannot answer, so that the champion does; empty when it can.
    """

    rollout: Rollout
    view: View
    answers: Mapping[int, Answers] = field(repr=False)
    champion: Arm = field(repr=False)
    challenger: Arm = field(repr=False)
    fault: str = ""


def _universes() -> Mapping[str, Mapping[int, Answers]]:
    return MappingProxyType({})


@dataclass(frozen=True)
class State:
    """All that a request may look at; replaced as a whole, never changed.

    answers: universe -> horizon -> what is told, the predictor's own universe first, then by name,
    and the shortest horizon first. waiting: why nothing is served, where that is so. database:
    whether the last look at the ledger that ended was answered. staged: universe -> the challenger
    that answers some of its callers.
    """

    seats: Mapping[Office, Seat] = field(default_factory=lambda: MappingProxyType({}))
    answers: Mapping[str, Mapping[int, Answers]] = field(default_factory=_universes)
    waiting: str = "the ledger was not read yet"
    database: bool = False
    staged: Mapping[str, Staged] = field(default_factory=lambda: MappingProxyType({}))

    def beside(self, universe: str) -> "State":
        """The same as the callers of the universe's challenger see it."""
        arm = self.staged[universe]
        office = arm.rollout.office
        seats = {**self.seats, office: replace(self.seats[office], view=arm.view)}
        answers = {**self.answers, universe: arm.answers}
        return replace(self, seats=MappingProxyType(seats), answers=MappingProxyType(answers))

    @property
    def why(self) -> str:
        """Why somebody waits, office by office; empty when nobody does."""
        told = (f"{office}: {seat.waiting}" for office, seat in self.seats.items() if seat.waiting)
        return "; ".join(told) or self.waiting


def arranged(views: Iterable[View], first: str) -> Mapping[str, Mapping[int, Answers]]:
    """What is told of each universe, by its views; `first` is the name of the one to begin with.

    An answer is that of an objective which leads; where a universe has none such, that of any
    other office, the shortest horizon first. What each other objective says beside it is that of
    the same horizon, or else of the shortest.
    """
    ordered = sorted(views, key=lambda v: (v.office.universe != first, v.office))
    found = {}
    for universe, group in groupby(ordered, lambda view: view.office.universe):
        found[universe] = _by_horizon(list(group))
    return MappingProxyType(found)


def _by_horizon(views: list[View]) -> Mapping[int, Answers]:
    leading = [view for view in views if not view.manifest.asked.tells]
    told: dict[str, list[View]] = {one.called: [] for one in OBJECTIVES if one.tells}
    for view in sorted(views, key=_horizon):
        if view.manifest.asked.tells:
            told[view.manifest.asked.called].append(view)
    found: dict[int, Answers] = {}
    for main in sorted(leading or views, key=_horizon):
        horizon = _horizon(main)
        beside = {name: _nearest(beside, horizon) for name, beside in told.items()}
        answers = found.setdefault(horizon, Answers(main, MappingProxyType(beside)))
        # Written down here, not while the first caller waits.
        assert len(answers.told) == len(answers.main.newest)
    return MappingProxyType(found)


def _nearest(views: list[View], horizon: int) -> tuple[View, ...]:
    return tuple(sorted(views, key=lambda view: _horizon(view) != horizon))


def _horizon(view: View) -> int:
    return view.manifest.horizon
