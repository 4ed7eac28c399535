"""Clock and calendar columns on real dates of exchanges, and on markets that never close."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
from panel_inputs import calendar_columns

from contracts.time.calendar import session_close, sessions


def at(calendar: str, day: date, moment: datetime | None = None) -> dict[str, float]:
    """The columns of one bar; without a moment that of the whole session."""
    closed = (moment or session_close(calendar, day)).replace(tzinfo=None)
    found = calendar_columns(
        calendar, np.array([day], "datetime64[D]"), np.array([closed], "datetime64[us]")
    )
    return {name: float(column[0]) for name, column in found.items()}


@pytest.mark.parametrize(
    ("calendar", "day", "wanted"),
    [
        # New York closes at 16:00 in summer and winter, at 13:00 on the day after Thanksgiving.
        ("XNYS", date(2024, 7, 2), {"hour": 16, "weekday": 1, "rested": 0, "rest": 0}),
        ("XNYS", date(2024, 12, 2), {"hour": 16, "weekday": 0, "rested": 2, "rest": 0}),
        ("XNYS", date(2024, 11, 29), {"hour": 13, "weekday": 4, "rested": 1, "rest": 2}),
        # Independence Day on a Thursday, with an early close before it.
        ("XNYS", date(2024, 7, 3), {"hour": 13, "weekday": 2, "rested": 0, "rest": 1}),
        # After September 11th New York did not trade for six days.
        ("XNYS", date(2001, 9, 17), {"weekday": 0, "rested": 6, "month": 9}),
        # Mumbai: 15:30; Republic Day 2024 fell on a Friday and was followed by a weekend.
        ("XNSE", date(2024, 1, 25), {"hour": 15, "minute": 30, "weekday": 3, "rest": 3}),
        ("XNSE", date(2024, 1, 29), {"hour": 15, "minute": 30, "weekday": 0, "rested": 3}),
        # Where trade never rests there is no gap: a Saturday, a Monday.
        ("24/7", date(2024, 6, 1), {"hour": 0, "weekday": 5, "rested": 0, "rest": 0}),
        ("24/7", date(2024, 6, 3), {"hour": 0, "weekday": 0, "rested": 0, "rest": 0}),
        ("24/5", date(2024, 6, 3), {"hour": 0, "weekday": 0, "rested": 2, "rest": 0}),
        ("24/5", date(2024, 12, 25), {"weekday": 2, "rested": 0, "rest": 0}),
    ],
)
def test_a_session_of_real_calendars(calendar: str, day: date, wanted: dict[str, float]) -> None:
    found = at(calendar, day)
    assert {name: found[name] for name in wanted} == wanted
    assert found["elapsed"] == 1.0


def test_a_minute_within_a_session() -> None:
    day = date(2024, 3, 11)  # the Monday after clocks went forward
    found = at("XNYS", day, datetime(2024, 3, 11, 13, 31, tzinfo=UTC))
    assert (found["hour"], found["minute"]) == (9, 31)
    assert found["elapsed"] == pytest.approx(1 / 390)
    early = at("XNYS", date(2024, 7, 3), datetime(2024, 7, 3, 15, 15, tzinfo=UTC))
    assert early["elapsed"] == pytest.approx(0.5)  # 9:30 to 13:00


def test_a_day_that_is_no_session_has_nulls() -> None:
    found = at("XNYS", date(2024, 7, 4), datetime(2024, 7, 4, 20, tzinfo=UTC))
    assert np.isnan([found["elapsed"], found["rested"], found["rest"]]).all()


def test_every_day_of_a_market_without_rest_is_a_session() -> None:
    days = sessions("24/7", date(2024, 2, 26), date(2024, 3, 10))
    closes = [session_close("24/7", day).replace(tzinfo=None) for day in days]
    found = calendar_columns(
        "24/7", np.array(days, "datetime64[D]"), np.array(closes, "datetime64[us]")
    )
    assert found["weekday"].tolist() == [0, 1, 2, 3, 4, 5, 6] * 2
    assert not found["rested"].any() and not found["rest"].any()
