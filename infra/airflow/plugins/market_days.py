"""Which `market_day` there is: one DAG per universe, each by the sessions of its own calendar."""

from dataclasses import dataclass

from exchange_timetable import SessionClose

from contracts.settings import settings
from contracts.universe import UNIVERSES, Universe, universe

NAME = "market_day"
# Only a source that goes on has something to collect tomorrow: the others are run by hand.
_GOES_ON = ("yahoo",)


@dataclass(frozen=True)
class MarketDay:
    """One universe's DAG. paused: whether it is when Airflow first sees it, None as Airflow is
    configured."""

    dag: str
    universe: str
    source: str
    schedule: SessionClose | None
    paused: bool | None


def market_days() -> list[MarketDay]:
    """That of the settings' universe, named `market_day`, and `market_day_<name>` of each other one
    that is declared; raises what a broken declaration raises.

    Airflow's own switch says which of the others are run: a declaration alone collects nothing.
    """
    own, source = universe(), settings().source
    others = [_of(each, f"{NAME}_{each.name}", True) for each in UNIVERSES if each.name != own.name]
    return [_of(own, NAME, None, source), *others]


def _of(about: Universe, dag: str, paused: bool | None, source: str = "") -> MarketDay:
    told = source or about.source() or settings().source
    schedule = SessionClose(about.calendar) if told in _GOES_ON else None
    return MarketDay(dag, about.name, told, schedule, paused)


def goes_on() -> bool:
    """Whether any market's day comes by itself: where none does, no week brings anything either."""
    return any(day.schedule and not day.paused for day in market_days())
