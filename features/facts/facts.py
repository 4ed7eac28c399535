"""Reads from the store what a universe's panel is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from contracts.cut import Cut
from contracts.store import Store
from contracts.table import LOAD_ID
from contracts.tables import (
    ACTIONS,
    BARS,
    SYMBOLS,
    TRADING_SESSIONS,
)
from contracts.time.amendments import Amendment, amendments_of
from features.facts.members import Members, members
from features.facts.needs import Asked, frame_of, known_by, known_of
from features.facts.providers import Providers, providers
from features.input import INPUTS, Known, PanelInput

# The input that every panel has; labels look at nothing else.
PRICES = ("bars",)


@dataclass(frozen=True)
class Facts:
    """What was known of a universe's instruments up to `end`, every version of it.

    first: the first session asked for. end: the last one's close. members, bars, actions: all
    versions in the order of `store.versions`, members with their calendar, and of bars and actions
    those of the provider that counts. symbols: the newest. known: by the name of each further
    input that a panel is to have, the frames that it is handed. interval: that of the bars.
    """

    first: date
    end: datetime
    members: pl.DataFrame
    symbols: pl.DataFrame
    bars: pl.DataFrame
    actions: pl.DataFrame
    interval: str
    known: Mapping[str, Known] = field(default_factory=dict)
    sessions: tuple[Amendment, ...] | None = None  # stated of calendars; None: all that is stored
    providers: Providers = Providers()

    @property
    def calendars(self) -> dict[str, str]:
        """Each instrument's calendar."""
        return dict(self.members.select("instrument_id", "calendar").iter_rows())

    @property
    def group(self) -> list[str]:
        """Whose bars make one segment: an instrument's, of minutes those of one session."""
        return ["instrument_id"] if self.interval == "1d" else ["instrument_id", "session"]

    @property
    def inputs(self) -> list[PanelInput]:
        """What their panel is made of."""
        return [INPUTS.get(name) for name in (*PRICES, *self.known)]

    @property
    def prices(self) -> "Facts":
        """The same for a panel of prices alone."""
        return replace(self, known={})

    def changed(self, name: str, frame: str, other: pl.DataFrame) -> "Facts":
        """The same with another frame of an input."""
        return replace(self, known={**self.known, name: {**self.known[name], frame: other}})

    def known_by(self, moment: datetime) -> "Facts":
        """The facts as they were known at a moment (UTC)."""
        frames = known_by(
            {n: x for n, x in vars(self).items() if isinstance(x, pl.DataFrame)}, moment
        )
        # As `read` does: nothing of an instrument that was no member yet.
        names = frames["members"]["instrument_id"].unique().to_list()

        def of_members(known: Known) -> dict[str, pl.DataFrame]:
            who = pl.col("instrument_id").is_in(names)
            return {
                n: x.filter(who) if "instrument_id" in x.columns else x for n, x in known.items()
            }

        known = {name: of_members(known_by(one, moment)) for name, one in self.known.items()}
        own: dict[str, Any] = of_members(frames)
        return replace(self, end=moment, known=known, **own)


@dataclass(frozen=True)
class Request:
    """Facts of a cut, with `reach` rows up to each of its sessions.

    inputs: names of the inputs to be read, those of prices always; default: all. interval: 1d, or
    1m for the minutes of the sessions themselves. text_model: the version that scored texts.
    """

    cut: Cut
    reach: int
    inputs: Sequence[str] | None = None
    interval: str = "1d"
    text_model: str = ""

    @property
    def around(self) -> list[PanelInput]:
        """The inputs beside prices."""
        chosen = INPUTS.names() if self.inputs is None else sorted(self.inputs)
        return [INPUTS.get(name) for name in chosen if name not in PRICES]


def read(store: Store, request: Request, known: Members | None = None) -> Facts:
    """The facts of a request; raises NoFacts, NotASession.

    known: members of a cut with the same end, where they were asked for already.
    """
    joined, snapshot = known or members(store, request.cut), request.cut.snapshot
    loads, around = joined.frame[LOAD_ID].unique().to_list(), request.around
    asked = Asked(
        store,
        joined.ids,
        joined.end,
        snapshot,
        providers(store, request.cut.universe, loads, snapshot),
        request.text_model,
    )
    ids: dict[str, object] = {"instrument_id": joined.ids}
    bars = _bars(asked, request)
    begin = bars["event_time"].min()
    assert begin is None or isinstance(begin, datetime)
    return Facts(
        first=request.cut.first,
        end=joined.end,
        members=joined.frame,
        symbols=frame_of(store.read(SYMBOLS, joined.end, snapshot, ids)),
        bars=bars,
        actions=asked.providers.best(ACTIONS, asked.versions(ACTIONS, ids)),
        interval=request.interval,
        known={one.name: known_of(asked, one, begin) for one in around},
        sessions=_stated(asked),
        providers=asked.providers,
    )


def _stated(asked: Asked) -> tuple[Amendment, ...]:
    return amendments_of(
        asked.store.versions(TRADING_SESSIONS, asked.end, asked.snapshot).to_pylist()
    ).rows


def _bars(asked: Asked, request: Request) -> pl.DataFrame:
    ids, first, last = list(asked.instruments), request.cut.first, request.cut.last

    def between(low: date | None, high: date, some: list[str]) -> pl.DataFrame:
        where: dict[str, object] = {"interval": request.interval, "instrument_id": some}
        return asked.versions(BARS, where | {"session": (low, high)})

    if request.interval != "1d":
        return told_best(asked.providers, between(first, last, ids))
    # Sessions are at most 5 of 7 days; holidays and halts are made up for below.
    start = first - timedelta(days=request.reach * 7 // 5 + 15)
    bars = between(start, last, ids)
    counts = _before(bars, first).group_by("instrument_id").len()
    enough = counts.filter(pl.col("len") >= request.reach)["instrument_id"]
    short = sorted(set(ids) - set(enough))
    if short:
        bars = pl.concat([between(None, start - timedelta(days=1), short), bars])
        oldest = _before(bars, first).group_by("instrument_id").tail(request.reach)
        low = oldest["session"].min()
        # An index is made of all members: who was halted for long needs the others' bars, too.
        market = any(one.reading.market for one in request.around)
        if isinstance(low, date) and low < start and market:
            others = sorted(set(ids) - set(short))
            span = low - timedelta(days=15), start - timedelta(days=1)
            bars = pl.concat([between(*span, others), bars])
    return told_best(asked.providers, bars)


def told_best(who: Providers, bars: pl.DataFrame) -> pl.DataFrame:
    """Bars of the providers that count, by instrument and time, as they became known."""
    # The start tells the minutes of a session apart.
    best = who.best(BARS, bars, ("instrument_id", "session", "start_time"))
    return best.sort("instrument_id", "event_time", "known_at", maintain_order=True)


def _before(bars: pl.DataFrame, first: date) -> pl.DataFrame:
    punctual = bars.filter(
        (pl.col("known_at") <= pl.col("event_time")) & (pl.col("session") < first)
    )
    return punctual.unique(["instrument_id", "session"]).sort("session")
