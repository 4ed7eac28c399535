"""Minutes of a simulated session: they add up to the day, and come at the asked speed."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from contracts.settings import Settings, settings
from contracts.store import Store
from contracts.tables import BARS
from contracts.time.calendar import session_close, session_open
from contracts.universe import universe
from etl.quality.clean import Context
from etl.replay import _paced, replay, session_minutes
from etl.rules import apply
from etl.sessions import sheet, spans
from etl.simulation.minutes import Day, minutes
from etl.source import SourceError, raw_frame

SESSION = date(2025, 6, 27)
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
PRICES = ("open", "high", "low", "close", "volume")


@pytest.fixture
def two() -> Settings:
    """A market with instruments on both exchanges."""
    return settings().model_copy(update={"sim_instruments": 16, "sim_sessions": 40})


def added_up(frame: pl.DataFrame) -> pl.DataFrame:
    """The daily bars that the minutes make."""
    return (
        frame.group_by("instrument_id")
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
        .sort("instrument_id")
    )


@pytest.mark.parametrize("session", [SESSION, date(2024, 11, 29), date(2025, 5, 26)])
def test_the_minutes_add_up_to_the_day(ask: Any, session: date) -> None:
    given = settings().model_copy(update={"sim_instruments": 16, "sim_sessions": 300})
    found = pl.from_arrow(session_minutes(given, universe(), session))
    assert isinstance(found, pl.DataFrame)
    daily = pl.from_arrow(ask("simulated", given)["bars"])
    assert isinstance(daily, pl.DataFrame)
    newest = daily.filter(session=session).unique("instrument_id", keep="last")
    wanted = newest.select("instrument_id", *PRICES).sort("instrument_id")
    assert len(wanted) and added_up(found).equals(wanted)


def test_every_minute_is_a_sound_bar_of_its_session(two: Settings) -> None:
    frame = session_minutes(two, universe(), SESSION)
    calendars = {f"SIM{n:03}": "XNYS" if n < 15 else "XNSE" for n in range(1, 17)}
    listed = pl.DataFrame({"instrument_id": list(calendars), "calendar": calendars.values()})
    calendars_of = ("XNYS", "XNSE")
    raw = raw_frame(BARS, frame)
    placed = raw.append_column("place", [list(range(raw.num_rows))])
    good, refused = apply(
        "bars", placed, Context(NOW, listed, sheet(calendars_of), spans(calendars_of))
    )
    assert refused.num_rows == 0 and good.num_rows == 13 * 390 + 2 * 375
    for name, calendar in (("SIM001", "XNYS"), ("SIM016", "XNSE")):
        own = pl.from_arrow(good).filter(instrument_id=name)  # type: ignore[union-attr]
        assert own["start_time"][0] == session_open(calendar, SESSION)
        assert own["event_time"][-1] == session_close(calendar, SESSION)
        assert own["start_time"][1:].to_list() == own["event_time"][:-1].to_list()


@pytest.mark.parametrize(
    "day", [Day(10, 10, 10, 10, 0), Day(10, 12, 9, 9, 3), Day(9, 9.5, 8, 9, 1e9)]
)
def test_any_day_can_be_taken_apart(day: Day) -> None:
    found = minutes(day, 390, np.random.default_rng(1))
    assert (found["open"][0], found["close"][-1]) == (day.open, day.close)
    assert (found["high"].max(), found["low"].min()) == (day.high, day.low)
    assert found["volume"].sum() == day.volume
    assert np.all(found["high"] >= np.maximum(found["open"], found["close"]))
    assert np.all(found["low"] <= np.minimum(found["open"], found["close"]))
    assert np.array_equal(found["open"][1:], found["close"][:-1])


@pytest.mark.parametrize(("speed", "minutes_at_once"), [(1, 1), (60, 1), (600, 10), (0, 30)])
def test_parts_come_when_they_have_formed(
    small: Settings, speed: int, minutes_at_once: int
) -> None:
    parts = list(_paced(session_minutes(small, universe(), SESSION), speed))
    assert len(parts) == 390 / minutes_at_once
    assert [part.num_rows for _, part in parts] == [4 * minutes_at_once] * len(parts)
    last = 390 * 60 / speed if speed else 0.0
    assert parts[-1][0] == pytest.approx(last)


def test_a_day_without_trading_is_closed(small: Settings) -> None:
    with pytest.raises(SourceError, match="closed: no simulated instrument trades on 2025-06-28"):
        session_minutes(small, universe(), date(2025, 6, 28))


@pytest.mark.integration
def test_a_replay_waits_and_a_repeat_adds_nothing(store: Store, small: Settings) -> None:
    waits: list[float] = []
    done = list(replay(store, small, universe("test"), SESSION, 3600.0, waits.append))
    assert sum(added for added, _ in done) == 4 * 390
    # Nothing really waits here, so each wait is what is left of the time since the start.
    assert len(waits) == 7 and 0 < waits[-1] <= 390 / 60
    assert all(wait <= place + 1 for place, wait in enumerate(waits))
    again = list(replay(store, small, universe("test"), SESSION, 0))
    assert sum(added for added, _ in again) == 0 and sum(rows for _, rows in again) == 4 * 390
    where = {"interval": "1m", "session": SESSION, "instrument_id": "SIM002"}
    noon = datetime(2025, 6, 27, 16, tzinfo=UTC)
    assert store.read(BARS, noon, store.snapshot(), where).num_rows == 150
