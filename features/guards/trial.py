"""A made-up panel on which features are tried: random walks, news, an index, macro values."""

from dataclasses import replace
from datetime import date

import numpy as np

from contracts.time.calendar import last_sessions, session_close
from features.feature import SINCE_THE_ROW_BEFORE
from features.inputs.clock import clock_columns
from features.panel.panel import Panel
from features.panel.series import Values

CALENDAR = "XNYS"
LAST = date(2025, 6, 30)
PRICES = ("open", "high", "low", "close", "total", "dividend")
LATER = 9  # rows by which the second instrument's history is shorter


def trial_panel(instruments: int = 3, rows: int = 70, seed: int = 7, last: date = LAST) -> Panel:
    """Instruments of one exchange, one segment each, the second of them a little shorter."""
    days = np.array(last_sessions(CALENDAR, last, rows), dtype="datetime64[D]")
    closes = np.array(
        [session_close(CALENDAR, day).replace(tzinfo=None) for day in days.tolist()],
        dtype="datetime64[us]",
    )
    size = instruments * rows
    columns = _bars_and_news(instruments, rows, seed) | _around(instruments, rows, seed)
    clock = clock_columns(CALENDAR, days, closes)
    columns |= {name: np.tile(column, instruments) for name, column in clock.items()}
    panel = Panel(
        columns=columns,
        offsets=np.arange(instruments + 1) * rows,
        instruments=tuple(f"SIM{i + 1:03}" for i in range(instruments)),
        ended=np.full(instruments, np.datetime64("NaT", "us")),
        session=np.tile(days, instruments),
        as_of=np.tile(closes, instruments),
        decided=np.ones(size, bool),
    )
    return forget(panel.where((panel.segment != 1) | (panel.place >= LATER)))


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
    names = (*PRICES, "volume")
    noise = {n: 1.0 + 2.0**-52 * draw.integers(-2, 3, len(panel.session)) for n in names}
    return replace(panel, columns={n: x * noise.get(n, 1.0) for n, x in panel.columns.items()})


def forget(panel: Panel) -> Panel:
    """The panel as if nothing came before its first rows, as in a panel of facts."""
    for name in SINCE_THE_ROW_BEFORE:
        panel.columns[name][panel.place == 0] = np.nan
    return panel


def _bars_and_news(instruments: int, rows: int, seed: int) -> dict[str, Values]:
    draw, size = np.random.default_rng(seed), instruments * rows
    close = (50 * np.exp(np.cumsum(draw.normal(0, 0.02, (instruments, rows)), axis=1))).ravel()
    open_ = close * np.exp(draw.normal(0, 0.008, size))
    headlines = draw.integers(0, 4, size).astype(float)
    scored = np.maximum(headlines - (draw.random(size) < 0.2), 0.0)
    return {
        "open": open_,
        "high": np.maximum(open_, close) * (1 + 0.01 * draw.random(size)),
        "low": np.minimum(open_, close) * (1 - 0.01 * draw.random(size)),
        "close": close,
        "volume": draw.integers(1_000, 100_000, size).astype(float),
        "dividend": np.zeros(size),
        "total": close * np.repeat(1 + 0.1 * draw.random(instruments), rows),
        "headlines": headlines,
        "scored": scored,
        "sentiment": scored * draw.uniform(-1, 1, size),
    }


def _around(instruments: int, rows: int, seed: int) -> dict[str, Values]:
    draw, size = np.random.default_rng(seed + 1), instruments * rows
    monthly = {
        name: np.tile(np.repeat(draw.normal(2.0, 1.0, rows // 21 + 1), 21)[:rows], instruments)
        for name in ("inflation", "payrolls", "output")
    }
    squares = 4.0 * draw.random(size)
    return monthly | {
        "sentiment_squares": squares,
        "sector": np.repeat(np.arange(instruments) % 2 * 1.0 + 1.0, rows),
        "index_return": np.tile(draw.normal(0.0, 0.01, rows), instruments),
    }
