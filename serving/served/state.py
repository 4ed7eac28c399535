"""All that is served at one moment: every office's seat, and what callers are told, immutable."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

import orjson

from contracts.champion import Champion, Office
from serving.served.served import Row, View

TREND, VOLATILITY = "trend", "volatility"
_BESIDE = ("target", "horizon", "bundle", "prediction_id", "as_of")


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
    """What is told of one universe at one horizon: the forecasts of `main`, and with each the
    volatility by the first of `beside` that foretells it."""

    main: View
    beside: tuple[View, ...] = ()

    @cached_property
    def told(self) -> Mapping[str, Told]:
        """The newest forecasts as they are told to callers."""
        newest = [view.newest for view in self.beside]
        return {symbol: self.tell(row, newest) for symbol, row in self.main.newest.items()}

    def tell(self, row: Row, beside: Iterable[Mapping[str, Row]]) -> Told:
        """A stored prediction made ready for its callers: all but its age never changes.

        beside: symbol -> row of each of the views beside.
        """
        champion, volatility, decided = self.main.champion, None, row["as_of"]
        last = decided
        for view, rows in zip(self.beside, beside, strict=True):
            if (found := rows.get(row["symbol"])) is not None:
                volatility = {"value": found["volatility"]} | {n: found[n] for n in _BESIDE}
                volatility["model_version"] = view.champion.model_version
                last = max(decided, found["as_of"])
                break
        named = {"universe": champion.universe, "model_version": champion.model_version}
        told = {**row, **named, "data_origin": self.main.data_origin, "volatility": volatility}
        return Told(orjson.dumps(told)[:-1], decided.timestamp(), last.timestamp())


@dataclass(frozen=True)
class Seat:
    """One office. in_office: the champion that the ledger names. view: the one that is served.
    waiting: why that is another or none, or empty."""

    in_office: Champion
    view: View | None = None
    waiting: str = ""


def _universes() -> Mapping[str, Mapping[int, Answers]]:
    return MappingProxyType({})


@dataclass(frozen=True)
class State:
    """All that a request may look at; replaced as a whole, never changed.

    answers: universe -> horizon -> what is told, the predictor's own universe first, then by name,
    and the shortest horizon first. waiting: why nothing is served, where that is so. database:
    whether the last look at the ledger that ended was answered.
    """

    seats: Mapping[Office, Seat] = field(default_factory=lambda: MappingProxyType({}))
    answers: Mapping[str, Mapping[int, Answers]] = field(default_factory=_universes)
    waiting: str = "the ledger was not read yet"
    database: bool = False

    @property
    def why(self) -> str:
        """Why somebody waits, office by office; empty when nobody does."""
        told = (f"{office}: {seat.waiting}" for office, seat in self.seats.items() if seat.waiting)
        return "; ".join(told) or self.waiting


def arranged(views: Iterable[View], first: str) -> Mapping[str, Mapping[int, Answers]]:
    """What is told of each universe, by its views; `first` is the name of the one to begin with.

    An answer is the trend's; where a universe has none, that of any other office, the shortest
    horizon first. The volatility beside it is that of the same horizon, or else the shortest.
    """
    ordered = sorted(views, key=lambda v: (v.office.universe != first, v.office))
    found = {}
    for universe, group in groupby(ordered, lambda view: view.office.universe):
        found[universe] = _by_horizon(list(group))
    return MappingProxyType(found)


def _by_horizon(views: list[View]) -> Mapping[int, Answers]:
    trends = [view for view in views if view.manifest.objective == TREND]
    foretold = [view for view in views if view.manifest.objective == VOLATILITY]
    volatilities = sorted(foretold, key=_horizon)
    found: dict[int, Answers] = {}
    for main in sorted(trends or views, key=_horizon):
        horizon = _horizon(main)
        same = [view for view in volatilities if _horizon(view) == horizon]
        other = [view for view in volatilities if _horizon(view) != horizon]
        answers = found.setdefault(horizon, Answers(main, (*same, *other)))
        # Written down here, not while the first caller waits.
        assert len(answers.told) == len(answers.main.newest)
    return MappingProxyType(found)


def _horizon(view: View) -> int:
    return view.manifest.horizon
