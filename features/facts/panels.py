"""Facts into panels: what was known at each decision, and what is known now.

Prices and volumes enter features free of scale, so that one panel, known at the end, serves all
decisions. The exception are facts that became known after the decisions which they concern:
restated bars, late bars, late actions. Each such moment cuts its instrument's history into
epochs, and an epoch's decisions look at a segment of their own, as it was known in the epoch.
"""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from contracts.time.amendments import stating
from features.facts.delisting import Life
from features.facts.facts import Facts
from features.feature import COLUMNS
from features.inputs.adjust import Actions, adjusted
from features.inputs.clock import clock_columns
from features.inputs.headlines import headline_columns
from features.inputs.index import Index, index_column, index_of
from features.inputs.macro import macro_columns
from features.panel.panel import Flags, Panel, Times, times_of
from features.panel.series import Values

_NUMBERS = ("open", "high", "low", "close", "volume")


_BAR = ["session", "start_time"]  # the start tells the minutes of a session apart


@dataclass(frozen=True)
class _Segment:
    instrument: str
    until: datetime  # facts known before this moment
    bars: pl.DataFrame
    decided: Flags


def decision_panel(facts: Facts, reach: int) -> Panel:
    """The panel on which the decisions of the facts' sessions are taken.

    A row at t holds what was known at t, up to scale; each decided row has the `reach` - 1 rows
    before it in its segment, as far as the history goes.
    """
    cuts, after, first = _cuts(facts), _after(facts), facts.first
    segments = list[_Segment]()
    for (name, *_), bars in facts.bars.group_by(facts.group, maintain_order=True):
        instrument = str(name)
        if instrument in cuts:
            segments.extend(_epochs(instrument, bars, cuts[instrument], after, first, reach))
        else:
            segments.append(_segment(instrument, bars, after, None, first))
    return _panel(facts, segments)


def newest_panel(facts: Facts) -> Panel:
    """The panel as it is known at the facts' end, one segment per instrument (and session)."""
    groups = facts.bars.group_by(facts.group, maintain_order=True)
    after, first = _after(facts), facts.first
    return _panel(
        facts, [_segment(str(name), bars, after, None, first) for (name, *_), bars in groups]
    )


def _after(facts: Facts) -> datetime:
    return facts.end + timedelta(microseconds=1)


def _segment(
    name: str, bars: pl.DataFrame, until: datetime, since: datetime | None, first: date
) -> _Segment:
    newest = bars.unique(_BAR, keep="last", maintain_order=True)
    decided = newest["session"] >= first
    if since is not None:
        decided &= newest["event_time"] >= since
    return _Segment(name, until, newest, decided.to_numpy())


def _epochs(
    name: str, bars: pl.DataFrame, cuts: list[datetime], after: datetime, first: date, reach: int
) -> Iterator[_Segment]:
    for since, until in zip([None, *cuts], [*cuts, after], strict=True):
        known = bars.filter((pl.col("known_at") < until) & (pl.col("event_time") < until))
        segment = _segment(name, known, until, since, first)
        if segment.decided.any():
            start = max(int(segment.decided.argmax()) - reach + 1, 0)
            yield _Segment(name, until, segment.bars[start:], segment.decided[start:])


def _cuts(facts: Facts) -> dict[str, list[datetime]]:
    late_bars = facts.bars.filter(pl.col("known_at") > pl.col("event_time"))
    late_actions = _dated(facts).filter(pl.col("known_at") > pl.col("event_time"))
    late = pl.concat(
        [frame.select("instrument_id", "known_at") for frame in (late_bars, late_actions)]
    )
    grouped = late.unique().sort("known_at").group_by("instrument_id", maintain_order=True)
    return {str(name): times["known_at"].to_list() for (name,), times in grouped}


def _dated(facts: Facts) -> pl.DataFrame:
    """Actions with `event_time`, the first close at which they hold."""
    closes = facts.bars.group_by("instrument_id", "session").agg(pl.col("event_time").min())
    return facts.actions.sort("ex_date", maintain_order=True).join_asof(
        closes.sort("session"),
        left_on="ex_date",
        right_on="session",
        by="instrument_id",
        strategy="forward",
        check_sortedness=False,  # it is sorted above
    )


def _indices(facts: Facts) -> Mapping[str, Index]:
    if not facts.around:
        return {}
    first_told = facts.bars.filter(pl.col("known_at") <= pl.col("event_time")).unique(
        ["instrument_id", *_BAR], keep="first", maintain_order=True
    )
    in_time = _dated(facts).filter(pl.col("known_at") <= pl.col("event_time"))
    told = replace(
        facts, first=date.min, bars=first_told, actions=in_time.select(facts.actions.columns)
    )
    panel = newest_panel(replace(told, around=False))
    total = panel.columns["total"]
    value = np.append(np.nan, total[1:] / total[:-1] - 1.0)[: len(total)]
    value[panel.place == 0] = np.nan
    exchange = np.array([facts.calendars[name] for name in panel.instruments], dtype=object)
    return {
        name: index_of(panel.as_of[rows], value[rows])
        for name in set(facts.calendars.values())
        for rows in (panel.decided & (exchange[panel.segment] == name),)
    }


def _panel(facts: Facts, segments: list[_Segment]) -> Panel:
    actions = _by_instrument(facts.actions.sort("ex_date", maintain_order=True))
    news = _by_instrument(facts.news.sort("known_at"))
    members, sectors = _by_instrument(facts.members), _by_instrument(facts.sectors)
    numbers = {name: n for n, name in enumerate(facts.sectors["universe"].unique().sort())}
    calendars = facts.calendars
    symbols = _by_instrument(facts.symbols)
    rows = [segment.bars["session"].to_numpy() for segment in segments]
    as_of = [times_of(segment.bars["event_time"]) for segment in segments]
    index = _indices(facts)
    clock = _clock(facts, segments, rows, as_of)
    columns = [
        _adjusted(segment, actions.get(segment.instrument))
        | headline_columns(times, news.get(segment.instrument))
        | index_column(times, index.get(calendars[segment.instrument]))
        | {"sector": _sector(days, times, sectors.get(segment.instrument), numbers)}
        | macro_columns(times, facts.observations)
        | hours
        for segment, days, times, hours in zip(segments, rows, as_of, clock, strict=True)
    ]
    decided = [
        segment.decided & _member(days, times, members[segment.instrument])
        for segment, days, times in zip(segments, rows, as_of, strict=True)
    ]
    life = Life(facts.bars, symbols, calendars)
    ended = [
        life.ended(segment.instrument, days[-1], segment.until)
        for segment, days in zip(segments, rows, strict=True)
    ]
    shares = [_shares(segment, actions.get(segment.instrument)) for segment in segments]
    none = np.empty(0)
    return Panel(
        columns={n: np.concatenate([none, *(part[n] for part in columns)]) for n in COLUMNS},
        offsets=np.cumsum([0, *map(len, rows)]),
        instruments=tuple(segment.instrument for segment in segments),
        ended=np.array(ended, dtype="datetime64[us]"),
        session=np.concatenate([np.empty(0, "datetime64[D]"), *rows]),
        as_of=np.concatenate([np.empty(0, "datetime64[us]"), *as_of]),
        decided=np.concatenate([np.empty(0, bool), *decided]),
        shares=np.concatenate([none, *shares]),
    )


def _clock(
    facts: Facts, segments: list[_Segment], rows: list[Times], as_of: list[Times]
) -> list[dict[str, Values]]:
    """Each segment's columns of calendar and clock, by what the facts' snapshot states of them."""
    told = nullcontext() if facts.sessions is None else stating(facts.sessions, alone=True)
    with told:
        return [
            clock_columns(facts.calendars[segment.instrument], days, times)
            for segment, days, times in zip(segments, rows, as_of, strict=True)
        ]


def _by_instrument(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    groups = frame.partition_by("instrument_id", as_dict=True, maintain_order=True)
    return {str(name): group for (name,), group in groups.items()}


def _adjusted(segment: _Segment, actions: pl.DataFrame | None) -> dict[str, Values]:
    bars = segment.bars
    splits, dividends = _known(actions, segment.until)
    return adjusted(
        {name: bars[name].to_numpy() for name in _NUMBERS},
        bars["session"].to_numpy(),
        bars["adjustment"].to_numpy(),
        splits,
        dividends,
    )


def _known(actions: pl.DataFrame | None, until: datetime) -> tuple[Actions, Actions]:
    if actions is None:
        return _NO_ACTIONS, _NO_ACTIONS
    known = actions.filter(pl.col("known_at") < until).unique(
        ["ex_date", "kind"], keep="last", maintain_order=True
    )
    splits, dividends = (
        Actions(kind["ex_date"].to_numpy(), kind["value"].to_numpy())
        for kind in (known.filter(kind=name) for name in ("split", "dividend"))
    )
    return splits, dividends


def _shares(segment: _Segment, actions: pl.DataFrame | None) -> Values:
    splits, _ = _known(actions, segment.until)
    session = segment.bars["session"].to_numpy()
    if not len(splits.value):
        return np.ones(len(session))
    # One share traded in each row, counted in those of the newest.
    one = {name: np.ones(len(session)) for name in _NUMBERS}
    plain = np.full(len(session), "none")
    return adjusted(one, session, plain, splits, _NO_ACTIONS)["volume"]


_NO_ACTIONS = Actions(np.empty(0, "datetime64[D]"), np.empty(0))


def _member(session: Times, as_of: Times, spans: pl.DataFrame) -> Flags:
    inside = np.zeros(len(session), bool)
    for _, versions in spans.group_by("valid_from"):
        member = np.zeros(len(session), bool)
        times = times_of(versions["known_at"])
        for known_at, (start, end) in zip(
            times, versions.select("valid_from", "valid_to").iter_rows(), strict=True
        ):
            covered = (session >= np.datetime64(start)) & (
                session <= np.datetime64(end or date.max)
            )
            member = np.where(as_of >= known_at, covered, member)
        inside |= member
    return inside


def _sector(
    session: Times, as_of: Times, spans: pl.DataFrame | None, numbers: Mapping[str, int]
) -> Values:
    out = np.full(len(session), np.nan)
    if spans is not None:
        for (name, *_), versions in spans.group_by("universe", maintain_order=True):
            out[_member(session, as_of, versions)] = numbers[str(name)]
    return out
