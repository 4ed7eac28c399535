"""Reads from the store what a universe's panel is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from contracts.cut import Cut
from contracts.store import Store
from contracts.table import LOAD_ID, Table
from contracts.tables import (
    ACTIONS,
    BARS,
    HEADLINE_SYMBOLS,
    HEADLINES,
    MEMBERSHIPS,
    OBSERVATIONS,
    SECTOR,
    SYMBOLS,
    TRADING_SESSIONS,
)
from contracts.time.amendments import Amendment, amendments_of
from features.facts.members import Members, members
from features.inputs.macro import SERIES

# A headline that became known longer after it happened is history, not news: it counts nowhere.
STALE = timedelta(days=30)
# A macro value older than this at the first row is no longer the newest of its series.
YEAR = timedelta(days=366)


@dataclass(frozen=True)
class Facts:
    """What was known of a universe's instruments up to `end`, every version of it.

    first: the first session asked for. end: the last one's close. members, bars, actions: all
    versions in the order of `store.versions`, members with their calendar. symbols: the newest.
    sectors: memberships in sectors, every version, whose `universe` names the sector.
    news: one row per headline and instrument: instrument_id, known_at, tone (null when unscored).
    observations: all versions of macro values. interval: that of the bars. around: whether what
    lies around the bars was read (sectors, news, observations) and is to be made (an index).
    sources: those whose bars are read.
    """

    first: date
    end: datetime
    members: pl.DataFrame
    sectors: pl.DataFrame
    symbols: pl.DataFrame
    bars: pl.DataFrame
    actions: pl.DataFrame
    news: pl.DataFrame
    observations: pl.DataFrame
    interval: str
    around: bool
    sessions: tuple[Amendment, ...] | None = None  # stated of calendars; None: all that is stored
    sources: tuple[str, ...] = ()

    @property
    def calendars(self) -> dict[str, str]:
        """Each instrument's calendar."""
        return dict(self.members.select("instrument_id", "calendar").iter_rows())

    @property
    def group(self) -> list[str]:
        """Whose bars make one segment: an instrument's, of minutes those of one session."""
        return ["instrument_id"] if self.interval == "1d" else ["instrument_id", "session"]


@dataclass(frozen=True)
class Request:
    """Facts of a cut, with `reach` rows up to each of its sessions.

    interval: 1d, or 1m for the minutes of the sessions themselves. around: with sectors, headlines
    and observations, and for an index.
    """

    cut: Cut
    reach: int
    around: bool = True
    interval: str = "1d"


def read(store: Store, request: Request, known: Members | None = None) -> Facts:
    """The facts of a request; raises NoFacts, NotASession.

    known: members of a cut with the same end, where they were asked for already.
    """
    joined, snapshot = known or members(store, request.cut), request.cut.snapshot
    sources = _sources(store, joined.frame[LOAD_ID].unique().to_list())
    asked = _Asked(store, request, joined, sources)
    ids = {"instrument_id": joined.ids}
    bars = _bars(asked)
    actions = store.versions(ACTIONS, joined.end, snapshot, ids | {"source": sources})
    return Facts(
        first=request.cut.first,
        end=joined.end,
        members=joined.frame,
        sectors=_sectors(asked) if request.around else joined.frame.clear(),
        symbols=_frame(store.read(SYMBOLS, joined.end, snapshot, ids)),
        bars=bars,
        actions=_frame(actions),
        news=_news(asked, bars) if request.around else _NO_NEWS,
        observations=_observations(asked, bars) if request.around else NO_OBSERVATIONS,
        interval=request.interval,
        around=request.around,
        sessions=_stated(asked),
        sources=tuple(sources),
    )


@dataclass(frozen=True)
class _Asked:
    store: Store
    request: Request
    members: Members
    sources: list[str]

    def versions(self, table: Table, where: Mapping[str, object]) -> pl.DataFrame:
        end, snapshot = self.members.end, self.request.cut.snapshot
        return _frame(self.store.versions(table, end, snapshot, where))


_NO_NEWS = pl.DataFrame(
    schema={"instrument_id": pl.String, "known_at": pl.Datetime("us", "UTC"), "tone": pl.Float64}
)

NO_OBSERVATIONS = pl.DataFrame(
    schema={
        "series": pl.String,
        "event_time": pl.Datetime("us", "UTC"),
        "known_at": pl.Datetime("us", "UTC"),
        "value": pl.Float64,
    }
)


def _stated(asked: _Asked) -> tuple[Amendment, ...]:
    end, snapshot = asked.members.end, asked.request.cut.snapshot
    return amendments_of(asked.store.versions(TRADING_SESSIONS, end, snapshot).to_pylist()).rows


def _frame(table: object) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _sources(store: Store, loads: list[int]) -> list[str]:
    # An instrument may have bars of several sources; a universe's are those that named its members.
    found = store.query("SELECT DISTINCT source FROM loads WHERE load_id = ANY(%s)", [loads])
    return [str(source) for source in found["source"].to_pylist()]


def _bars(asked: _Asked) -> pl.DataFrame:
    request, ids = asked.request, asked.members.ids
    first, last = request.cut.first, request.cut.last

    def between(low: date | None, high: date, some: list[str]) -> pl.DataFrame:
        where = {"interval": request.interval, "instrument_id": some, "session": (low, high)}
        return asked.versions(BARS, where | {"source": asked.sources})

    if request.interval != "1d":
        return between(first, last, ids).sort(_ORDER, maintain_order=True)
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
        if isinstance(low, date) and low < start and request.around:
            others = sorted(set(ids) - set(short))
            span = low - timedelta(days=15), start - timedelta(days=1)
            bars = pl.concat([between(*span, others), bars])
    return bars.sort(_ORDER, maintain_order=True)


_ORDER = ["instrument_id", "event_time", "source", "known_at"]


def _before(bars: pl.DataFrame, first: date) -> pl.DataFrame:
    punctual = bars.filter(
        (pl.col("known_at") <= pl.col("event_time")) & (pl.col("session") < first)
    )
    return punctual.unique(["instrument_id", "session"]).sort("session")


def _sectors(asked: _Asked) -> pl.DataFrame:
    found = asked.versions(MEMBERSHIPS, {"instrument_id": asked.members.ids})
    return found.filter(pl.col("universe").str.starts_with(SECTOR))


def _news(asked: _Asked, bars: pl.DataFrame) -> pl.DataFrame:
    if not len(bars):
        return _NO_NEWS
    since = (bars["event_time"].min() - STALE, None)  # type: ignore[operator]
    key = ["source", "native_id"]

    def first_known(table: Table, by: list[str], where: Mapping[str, object]) -> pl.DataFrame:
        return asked.versions(table, where).unique(by, keep="first", maintain_order=True)

    headlines = first_known(HEADLINES, key, {"event_time": since})
    named = {"event_time": since, "instrument_id": asked.members.ids}
    mentions = first_known(HEADLINE_SYMBOLS, [*key, "instrument_id"], named)
    both = mentions.join(headlines, on=key, suffix="_headline").with_columns(
        known_at=pl.max_horizontal("known_at", "known_at_headline")
    )
    fresh = both.filter(pl.col("known_at") - pl.col("event_time_headline") <= STALE)
    scores = _tones(asked.store, fresh["text_hash"].unique().to_list())
    return fresh.join(scores, on="text_hash", how="left").select(_NO_NEWS.columns)


def _observations(asked: _Asked, bars: pl.DataFrame) -> pl.DataFrame:
    if not len(bars):
        return NO_OBSERVATIONS
    names = [name for names in SERIES.values() for name in names]
    since = (bars["event_time"].min() - YEAR, None)  # type: ignore[operator]
    found = asked.versions(OBSERVATIONS, {"series": names, "event_time": since})
    return found.select(NO_OBSERVATIONS.columns)


def text_model(store: Store) -> str:
    """The version of the scoring model used last, empty before any was used.

    A new one scores every text anew before its scores are looked at.
    """
    newest = "SELECT model_version FROM sentiments ORDER BY scored_at DESC, model_version LIMIT 1"
    found = store.query(newest)["model_version"].to_pylist()
    return str(found[0]) if found else ""


def _tones(store: Store, hashes: list[str]) -> pl.DataFrame:
    found = store.query(
        "SELECT text_hash, p_positive - p_negative AS tone FROM sentiments "
        "WHERE model_version = %s AND text_hash = ANY(%s::text[])",
        [text_model(store), hashes],
    )
    return _frame(found).select(
        pl.col("text_hash").cast(pl.String), pl.col("tone").cast(pl.Float64)
    )
