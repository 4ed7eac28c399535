"""Facts into panels: what was known at each decision, and what is known now.

Prices and volumes enter features free of scale, so that one panel, known at the end, serves all
decisions. The exception are facts that became known after the decisions which they concern:
restated bars, late bars, late actions. Each such moment cuts its instrument's history into
epochs, and an epoch's decisions look at a segment of their own, as it was known in the epoch.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np
import polars as pl

from contracts.time.amendments import stating
from features.facts.delisting import Life
from features.facts.facts import Facts
from features.input import Known, PanelInput, Rows
from features.inputs.adjust import shares
from features.panel.panel import Flags, Panel, times_of
from features.panel.series import Values
from features.panel.spans import covered

_BAR = ["session", "start_time"]  # the start tells the minutes of a session apart


@dataclass(frozen=True)
class _Segment:
    instrument: str
    until: datetime  # facts known before this moment
    bars: pl.DataFrame
    decided: Flags

    def rows(self, calendar: str, actions: pl.DataFrame | None) -> Rows:
        """With the newest version of each of those of its actions that were known."""
        known = actions
        if actions is not None:
            known = actions.filter(pl.col("known_at") < self.until).unique(
                ["ex_date", "kind"], keep="last", maintain_order=True
            )
        session, as_of = self.bars["session"].to_numpy(), times_of(self.bars["event_time"])
        return Rows(self.instrument, calendar, session, as_of, self.bars, known)


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


def _first_told(facts: Facts) -> Panel:
    """The panel of all bars as they were first told, with the actions that were told in time."""
    bars = facts.bars.filter(pl.col("known_at") <= pl.col("event_time")).unique(
        ["instrument_id", *_BAR], keep="first", maintain_order=True
    )
    in_time = _dated(facts).filter(pl.col("known_at") <= pl.col("event_time"))
    actions = in_time.select(facts.actions.columns)
    return newest_panel(replace(facts.prices, first=date.min, bars=bars, actions=actions))


class _Handed:
    """What the inputs of a panel are handed: of each frame the rows of an instrument's own."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._parts = {
            one.name: {name: _parts(frame) for name, frame in self._frames(one).items()}
            for one in facts.inputs
        }

    def to(self, one: PanelInput, rows: Rows) -> Known:
        """The frames of one input for those rows."""
        return {name: part(rows) for name, part in self._parts[one.name].items()}

    def _frames(self, one: PanelInput) -> Known:
        known = self._facts.known.get(one.name, {})
        if one.reading.market is None:
            return known
        calendars = [self._facts.calendars[name] for name in self._told.instruments]
        return {**known, "market": one.reading.market(self._told, calendars)}

    @cached_property
    def _told(self) -> Panel:
        return _first_told(self._facts)


def _parts(frame: pl.DataFrame) -> Callable[[Rows], pl.DataFrame]:
    for name, whose in _OWN.items():
        if name in frame.columns:
            groups, none = _grouped(frame, name), frame.clear()
            return lambda rows: groups.get(whose(rows), none)
    return lambda _: frame


# Columns that say whose a row is.
_OWN: Mapping[str, Callable[[Rows], str]] = {
    "instrument_id": lambda rows: rows.instrument,
    "calendar": lambda rows: rows.calendar,
}


def _panel(facts: Facts, segments: list[_Segment]) -> Panel:
    # As they became known, of each day: whoever told of it.
    by_day = facts.actions.sort("ex_date", "known_at", maintain_order=True)
    actions, members = _grouped(by_day, "instrument_id"), _grouped(facts.members, "instrument_id")
    calendars = facts.calendars
    rows = [s.rows(calendars[s.instrument], actions.get(s.instrument)) for s in segments]
    decided = [
        segment.decided & covered(own.session, own.as_of, members[own.instrument])
        for segment, own in zip(segments, rows, strict=True)
    ]
    life = Life(facts.bars, _grouped(facts.symbols, "instrument_id"), calendars)
    ended = [
        life.ended(segment.instrument, own.session[-1], segment.until)
        for segment, own in zip(segments, rows, strict=True)
    ]
    none = np.empty(0)
    return Panel(
        columns=_columns(facts, rows),
        offsets=np.cumsum([0, *(len(own.session) for own in rows)]),
        instruments=tuple(own.instrument for own in rows),
        ended=np.array(ended, dtype="datetime64[us]"),
        session=np.concatenate([np.empty(0, "datetime64[D]"), *(own.session for own in rows)]),
        as_of=np.concatenate([np.empty(0, "datetime64[us]"), *(own.as_of for own in rows)]),
        decided=np.concatenate([np.empty(0, bool), *decided]),
        shares=np.concatenate([none, *(shares(own.session, own.actions) for own in rows)]),
    )


def _columns(facts: Facts, rows: list[Rows]) -> dict[str, Values]:
    """The columns of all inputs, by what the facts' snapshot states of calendars."""
    inputs, handed, none = facts.inputs, _Handed(facts), np.empty(0)
    told = nullcontext() if facts.sessions is None else stating(facts.sessions, alone=True)
    found = dict[str, Values]()
    with told:
        for one in inputs:
            parts = list(map(_asking(one, handed), rows))
            for name in one.columns:
                found[name] = np.concatenate([none, *(part[name] for part in parts)])
    return found


def _asking(one: PanelInput, handed: _Handed) -> Callable[[Rows], Mapping[str, Values]]:
    if not one.reading.alike:
        return lambda own: one.values(own, handed.to(one, own))
    told = dict[tuple[str, bytes, bytes], Mapping[str, Values]]()

    def once(own: Rows) -> Mapping[str, Values]:
        key = own.calendar, own.session.tobytes(), own.as_of.tobytes()
        if key not in told:
            anybody = replace(own, instrument="", bars=None, actions=None)
            told[key] = one.values(anybody, handed.to(one, own))
        return told[key]

    return once


def _grouped(frame: pl.DataFrame, by: str) -> dict[str, pl.DataFrame]:
    groups = frame.partition_by(by, as_dict=True, maintain_order=True)
    return {str(name): group for (name,), group in groups.items()}
