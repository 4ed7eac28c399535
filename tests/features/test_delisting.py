"""The end of a session of minutes is not the end of an instrument's life."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from contracts.time.calendar import session_close
from features.facts.facts import Facts
from features.facts.panels import decision_panel, newest_panel
from features.label import LABELS, Label
from features.panel.panel import Panel
from training.leaklab.market import GONE, Lab

MINUTES, HORIZON = 20, 5


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab()


def in_minutes(lab: Lab, last: int = GONE + 1) -> Facts:
    """SIM003 and SIM001 in twenty minutes of each session from GONE - 3 on, known at once."""
    days = lab.sessions[GONE - 3 : last + 1]
    bars = lab.facts.bars.filter(
        pl.col("session").is_in(list(days)), pl.col("instrument_id").is_in(["SIM001", "SIM003"])
    )
    rows = list[dict[str, Any]]()
    for bar in bars.iter_rows(named=True):
        for minute in range(MINUTES):
            at = bar["event_time"] - timedelta(minutes=MINUTES - 1 - minute)
            times = {"start_time": at - timedelta(minutes=1), "event_time": at, "known_at": at}
            rows.append(bar | times | {"interval": "1m"})
    minutely = pl.DataFrame(rows, schema=bars.schema)
    end = session_close("XNYS", days[-1])
    return replace(lab.facts.prices, first=days[0], end=end, bars=minutely, interval="1m")


def plain_basis(label: Label, panel: Panel) -> np.ndarray:
    count = len(label.basis(panel))
    return np.tile(np.array([[0.98], [1.02]])[:count], len(panel.session))


@pytest.mark.parametrize("kind", list(LABELS), ids=lambda kind: kind.kind)
def test_a_living_session_of_minutes_is_not_settled_at_its_end(kind: type[Label], lab: Lab) -> None:
    label = kind(horizon=HORIZON)  # type: ignore[call-arg]
    facts = in_minutes(lab)
    for panel in (newest_panel(facts), decision_panel(facts, 5)):
        found = label.settle(panel, plain_basis(label, panel))
        names = np.array(panel.instruments)[panel.segment]
        last = panel.session == np.datetime64(lab.sessions[GONE])
        gone = (names == "SIM003") & last
        assert found.settled[gone].sum() == MINUTES  # its last session of all
        assert found.delisted[gone].sum() == HORIZON
        assert not found.delisted[~gone].any()
        # Elsewhere the last minutes of a session are never settled.
        early = (panel.place >= MINUTES - HORIZON) & ~gone
        assert early.sum() and not found.settled[early].any()


def test_it_is_not_certain_before_it_is_told(lab: Lab) -> None:
    panel = newest_panel(in_minutes(lab, last=GONE - 1))
    assert np.isnat(panel.ended).all()


def test_the_last_session_of_minutes_may_lie_before_the_delisting(lab: Lab) -> None:
    """Halted on its last day: the life ends with the last bar there is."""
    facts = in_minutes(lab)
    halted = (pl.col("instrument_id") == "SIM003") & (pl.col("session") == lab.sessions[GONE])
    panel = newest_panel(replace(facts, bars=facts.bars.filter(~halted)))
    ended = ~np.isnat(panel.ended)
    assert [panel.instruments[i] for i in np.flatnonzero(ended)] == ["SIM003"]
    (place,) = np.flatnonzero(ended)
    assert panel.session[panel.offsets[place]] == np.datetime64(lab.sessions[GONE - 1])


def test_sessions_of_a_day_still_end_with_the_instrument(lab: Lab) -> None:
    panel = newest_panel(lab.facts)
    wanted: dict[str, datetime | None] = dict.fromkeys(panel.instruments)
    wanted["SIM003"] = lab.close_of(GONE).replace(tzinfo=None)
    found = dict(zip(panel.instruments, panel.ended.tolist(), strict=True))
    assert found == wanted
    assert isinstance(lab.sessions[GONE], date)
