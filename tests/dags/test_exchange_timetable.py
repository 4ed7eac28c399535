"""Runs at the exchange's own hours, held against published holidays and early closes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pendulum
import pytest

if TYPE_CHECKING:
    from airflow.timetables.base import Timetable


@pytest.fixture
def new_york(airflow_home: Path) -> "Timetable":
    from exchange_timetable import SessionClose

    return SessionClose("XNYS", minutes=60)


@pytest.fixture
def mumbai(airflow_home: Path) -> "Timetable":
    from exchange_timetable import SessionClose

    return SessionClose("XNSE", minutes=30)


def runs(timetable: "Timetable", start: str, count: int) -> list[tuple[datetime, datetime]]:
    """(close, run_after) of the first runs after `start`, catching up."""
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(pendulum.parse(start), None, catchup=True)  # type: ignore[arg-type]
    last, found = None, []
    for _ in range(count):
        info = timetable.next_dagrun_info(
            last_automated_data_interval=last, restriction=restriction
        )
        assert info and info.data_interval
        last = info.data_interval
        found.append((last.end, info.run_after))
    return found


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_new_york_keeps_thanksgiving_and_closes_early_the_day_after(new_york: "Timetable") -> None:
    assert runs(new_york, "2024-11-27T00:00:00Z", 3) == [
        (utc(2024, 11, 27, 21), utc(2024, 11, 27, 22)),
        (utc(2024, 11, 29, 18), utc(2024, 11, 29, 19)),
        (utc(2024, 12, 2, 21), utc(2024, 12, 2, 22)),
    ]


def test_new_york_follows_daylight_saving(new_york: "Timetable") -> None:
    closes = [close for close, _ in runs(new_york, "2025-03-07T00:00:00Z", 2)]
    assert closes == [utc(2025, 3, 7, 21), utc(2025, 3, 10, 20)]


def test_mumbai_keeps_independence_day(mumbai: "Timetable") -> None:
    # 15 August 2024, a Thursday; the session ends at 15:30 IST.
    assert runs(mumbai, "2024-08-14T00:00:00Z", 2) == [
        (utc(2024, 8, 14, 10), utc(2024, 8, 14, 10, 30)),
        (utc(2024, 8, 16, 10), utc(2024, 8, 16, 10, 30)),
    ]


def test_as_of_is_the_session_close(new_york: "Timetable", mumbai: "Timetable") -> None:
    from contracts.time.calendar import last_session, session_close

    for timetable, calendar in ((new_york, "XNYS"), (mumbai, "XNSE")):
        for close, _ in runs(timetable, "2025-01-01T00:00:00Z", 60):
            assert close == session_close(calendar, last_session(calendar, close))
            # The name of the session as the DAG's template forms it.
            named = (close - pendulum.duration(microseconds=1)).date()
            assert named == last_session(calendar, close)


def test_a_run_by_hand_is_about_the_newest_closed_session(new_york: "Timetable") -> None:
    holiday = pendulum.datetime(2024, 11, 28, 15)
    assert new_york.infer_manual_data_interval(run_after=holiday).end == utc(2024, 11, 27, 21)


def test_without_catching_up_missed_sessions_are_not_run(new_york: "Timetable") -> None:
    from airflow.timetables.base import TimeRestriction

    info = new_york.next_dagrun_info(
        last_automated_data_interval=new_york.infer_manual_data_interval(
            run_after=pendulum.datetime(2024, 1, 10)
        ),
        restriction=TimeRestriction(pendulum.datetime(2024, 1, 1), None, catchup=False),
    )
    assert info and info.run_after > pendulum.now("UTC")


def test_nothing_runs_after_the_end(new_york: "Timetable") -> None:
    from airflow.timetables.base import TimeRestriction

    first, last = pendulum.datetime(2024, 11, 28), pendulum.datetime(2024, 11, 29, 18, 30)
    restriction = TimeRestriction(first, last, catchup=True)
    assert (
        new_york.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
        is None
    )


def test_it_survives_being_stored(new_york: "Timetable") -> None:
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable

    restored = decode_timetable(encode_timetable(new_york))
    assert restored.serialize() == {"calendar": "XNYS", "minutes": 60}
    assert restored.summary == "XNYS close + 60 min"


def test_where_the_calendar_ends_no_run_is_scheduled(mumbai: "Timetable") -> None:
    from contracts.time.calendar import NotKnown

    assert [close for close, _ in runs(mumbai, "2026-12-30T12:00:00Z", 1)] == [
        utc(2026, 12, 31, 10)
    ]
    last = mumbai.infer_manual_data_interval(run_after=pendulum.datetime(2026, 12, 31, 12))
    assert after(mumbai, last) is None
    with pytest.raises(NotKnown, match="2026-12-31"):
        mumbai.infer_manual_data_interval(run_after=pendulum.datetime(2027, 1, 10))


def test_a_stated_session_has_its_run(mumbai: "Timetable") -> None:
    from contracts.time.amendments import Amendment, stating

    opens, closes = utc(2019, 10, 27, 12, 45), utc(2019, 10, 27, 13, 45)
    day, known = opens.date(), utc(2019, 10, 15)
    with stating([Amendment("XNSE", day, opens, closes, "Asia/Kolkata", known)]):
        assert runs(mumbai, "2019-10-25T12:00:00Z", 2) == [
            (closes, utc(2019, 10, 27, 14, 15)),
            (utc(2019, 10, 29, 10), utc(2019, 10, 29, 10, 30)),
        ]


def after(timetable: "Timetable", last: object) -> object:
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(None, None, catchup=True)
    return timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)  # type: ignore[arg-type]


@pytest.fixture
def weekly(airflow_home: Path) -> "Timetable":
    from exchange_timetable import WeekClose

    return WeekClose("XNYS", minutes=60)


def test_a_week_ends_with_its_last_session_whichever_day_that_is(weekly: "Timetable") -> None:
    """Good Friday of 2025 was the 18th of April; Independence Day of 2025 a Friday too."""
    closes = [close for close, _ in runs(weekly, "2025-04-08T00:00:00Z", 3)]
    assert closes == [utc(2025, 4, 11, 20), utc(2025, 4, 17, 20), utc(2025, 4, 25, 20)]
    [(close, after)] = runs(weekly, "2025-06-30T00:00:00Z", 1)
    assert (close, after) == (utc(2025, 7, 3, 17), utc(2025, 7, 3, 18)), "an early close"


def test_a_week_that_has_just_closed_is_not_lost_while_its_delay_runs(weekly: "Timetable") -> None:
    closes = [close for close, _ in runs(weekly, "2025-04-11T20:30:00Z", 1)]
    assert closes == [utc(2025, 4, 11, 20)]
    closes = [close for close, _ in runs(weekly, "2025-04-11T21:30:00Z", 1)]
    assert closes == [utc(2025, 4, 17, 20)]


def test_a_market_that_never_closes_ends_its_week_on_sunday(airflow_home: Path) -> None:
    from exchange_timetable import WeekClose

    found = runs(WeekClose("24/7", minutes=0), "2025-06-04T12:00:00Z", 2)
    assert [close for close, _ in found] == [utc(2025, 6, 9), utc(2025, 6, 16)]


def test_a_week_whose_end_the_calendar_does_not_know_is_not_scheduled(
    weekly: "Timetable", caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.timetables.base import TimeRestriction

    far = TimeRestriction(pendulum.datetime(2300, 1, 1), None, catchup=True)
    assert weekly.next_dagrun_info(last_automated_data_interval=None, restriction=far) is None
    assert "no run is scheduled" in caplog.text


def test_airflow_stores_and_restores_a_week_beside_an_asset(weekly: "Timetable") -> None:
    from airflow.sdk import Asset, AssetOrTimeSchedule
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable

    both = AssetOrTimeSchedule(timetable=weekly, assets=[Asset("alarms")])
    back = decode_timetable(encode_timetable(both))
    assert back.timetable.serialize() == weekly.serialize()
    assert back.summary == "Asset or XNYS week's close + 60 min"
