"""A made-up panel on which features are tried, and the facts on which inputs are."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import numpy as np

from contracts.time.calendar import last_sessions, session_close
from features.input import INPUTS, Known, PanelInput, Rows, Sample, columns
from features.panel.panel import Panel
from features.panel.series import Values

CALENDAR = "XNYS"
LAST = date(2025, 6, 30)
LATER = 9  # rows by which the second instrument's history is shorter


def made_sample(instruments: int = 3, rows: int = 70, seed: int = 7, last: date = LAST) -> Sample:
    """Instruments of one exchange, for whom inputs make up what they read."""
    days = np.array(last_sessions(CALENDAR, last, rows), dtype="datetime64[D]")
    closes = np.array(
        [session_close(CALENDAR, day).replace(tzinfo=None) for day in days.tolist()],
        dtype="datetime64[us]",
    )
    names = tuple(f"SIM{i + 1:03}" for i in range(instruments))
    return Sample(names, CALENDAR, days, closes, seed)


def trial_panel(instruments: int = 3, rows: int = 70, seed: int = 7, last: date = LAST) -> Panel:
    """Instruments of one exchange, one segment each, the second of them a little shorter."""
    made = made_sample(instruments, rows, seed, last)
    found = dict[str, Values]()
    for one in INPUTS:
        found |= made_columns(one, made)
    panel = Panel(
        columns=found,
        offsets=np.arange(instruments + 1) * rows,
        instruments=made.instruments,
        ended=np.full(instruments, np.datetime64("NaT", "us")),
        session=np.tile(made.session, instruments),
        as_of=np.tile(made.as_of, instruments),
        decided=np.ones(made.size, bool),
    )
    return forget(panel.where((panel.segment != 1) | (panel.place >= LATER)))


def made_columns(one: PanelInput, made: Sample) -> Mapping[str, Values]:
    """The columns that an input draws, or that it makes of its sample."""
    if one.sample.columns is not None:
        return one.sample.columns(made)
    facts: Known = {} if one.sample.facts is None else one.sample.facts(made)
    parts = [
        one.values(Rows(name, made.calendar, made.session, made.as_of), own_of(facts, name))
        for name in made.instruments
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in one.columns}


def own_of(facts: Known, instrument: str) -> Known:
    """What an instrument's rows are handed of a sample."""
    return {
        name: frame.filter(instrument_id=instrument) if "instrument_id" in frame.columns else frame
        for name, frame in facts.items()
    }


def prices() -> tuple[str, ...]:
    """The columns that grow with the scale of prices."""
    return tuple(name for one in INPUTS for name in one.sample.prices)


def volumes() -> tuple[str, ...]:
    """The columns that grow with the scale of volumes."""
    return tuple(name for one in INPUTS for name in one.sample.volumes)


def quoted_panel(rows: int = 70, seed: int = 7) -> Panel:
    """The same with prices as exchanges quote them, where comparisons meet ties.

    The first instrument moves by a few cents a session, some of its bars have one price and no
    volume; the second is pinned to a price; the third grows by 1 % each session.
    """
    panel, draw = trial_panel(3, rows, seed), np.random.default_rng(seed)
    size, segment, place = len(panel.session), panel.segment, panel.place
    steps = np.where(segment == 0, draw.integers(-2, 3, size), 0)
    walk = 500 + np.abs((np.cumsum(steps) + 60) % 120 - 60)  # within 60 cents of 5.00
    around = draw.integers(0, 3, (3, size)) * (draw.random(size) < 0.9)
    bars = np.stack(
        [walk + around[0] - 1, walk + around[0] + around[1], walk - 1 - around[2], walk]
    )
    bars[1], bars[2] = bars.max(axis=0), bars.min(axis=0)
    grown = 100.0 * 1.01**place
    prices = np.where(segment == 0, bars / 100.0, np.where(segment == 1, 26.19, grown))
    columns = dict(zip(("open", "high", "low", "close"), prices, strict=True))
    volume = np.where(segment == 2, 1000.0, draw.integers(0, 6, size) * 100.0)
    return replace(
        panel, columns={**panel.columns, **columns, "total": columns["close"], "volume": volume}
    )


def rounded_anew(panel: Panel, seed: int = 8) -> Panel:
    """The panel after a split and back: each price and volume in its last bits another one."""
    draw = np.random.default_rng(seed)
    names = (*prices(), *volumes())
    noise = {n: 1.0 + 2.0**-52 * draw.integers(-2, 3, len(panel.session)) for n in names}
    return replace(panel, columns={n: x * noise.get(n, 1.0) for n, x in panel.columns.items()})


def forget(panel: Panel) -> Panel:
    """The panel as if nothing came before its first rows, as in a panel of facts."""
    for name, one in columns().items():
        if one.since_row_before and name in panel.columns:
            panel.columns[name][panel.place == 0] = np.nan
    return panel
