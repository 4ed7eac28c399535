"""A timetable of exchange sessions: one run per session, at its close plus a delay."""

import logging
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from pendulum import DateTime
from pendulum import instance as pendulum_time

from contracts.time.amendments import forget
from contracts.time.calendar import NotKnown, last_session, session_close, session_open, shift


def _utc(moment: DateTime) -> datetime:
    # pendulum's own `astimezone(UTC)` answers a time without a zone.
    return datetime.fromtimestamp(moment.timestamp(), UTC)


class SessionClose(Timetable):
    """One run per session of a calendar, `minutes` after its close; early closes are earlier.

    The data interval is the session itself, from its open to its close, so that a run's
    `data_interval_end` is the moment at which its signals are decided (`as_of`).
    """

    def __init__(self, calendar: str, minutes: int = 60) -> None:
        self.calendar = calendar
        self.minutes = minutes
        self.description = f"{minutes} minutes after each close of {calendar}"

    @property
    def summary(self) -> str:
        """What the list of DAGs shows."""
        return f"{self.calendar} close + {self.minutes} min"

    def serialize(self) -> dict[str, Any]:
        """The arguments as JSON."""
        return {"calendar": self.calendar, "minutes": self.minutes}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """The inverse of `serialize`."""
        return cls(**data)

    def _interval(self, session: date) -> DataInterval:
        opens = session_open(self.calendar, session)
        return DataInterval(
            pendulum_time(opens), pendulum_time(session_close(self.calendar, session))
        )

    def _first_after(self, moment: datetime) -> date:
        """The first session whose close plus delay is at or after `moment`."""
        delay = timedelta(minutes=self.minutes)
        just_before = moment - delay - timedelta(microseconds=1)
        return shift(self.calendar, last_session(self.calendar, just_before), 1)

    def _chosen(self, session: date) -> date:
        """The session, from this one on, that the next run is about."""
        return session

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """A run by hand is about the newest session that has closed."""
        return self._interval(last_session(self.calendar, _utc(run_after)))

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        """The run after the last one; without catch-up, missed sessions are left to backfills.

        Where the calendar's knowledge ends there is no run, and the log says why; the question
        is asked again with every reading of the DAG, so that a newer calendar goes on.
        """
        forget()
        try:
            return self._next(last_automated_data_interval, restriction)
        except NotKnown as error:
            logging.getLogger(__name__).error("no run is scheduled: %s", error)
            return None

    def _next(
        self, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        earliest = restriction.earliest
        if not restriction.catchup:
            now = DateTime.now("UTC")
            earliest = max(earliest, now) if earliest else now
        if last_automated_data_interval:
            done = last_session(self.calendar, _utc(last_automated_data_interval.end))
            session = shift(self.calendar, done, 1)
            if earliest:
                session = max(session, self._first_after(_utc(earliest)))
        elif earliest:
            session = self._first_after(_utc(earliest))
        else:
            return None
        interval = self._interval(self._chosen(session))
        run_after = interval.end.add(minutes=self.minutes)
        if restriction.latest and run_after > restriction.latest:
            return None
        return DagRunInfo(run_after=run_after, data_interval=interval)


class WeekClose(SessionClose):
    """One run per week, `minutes` after the close of its last session, whichever day that is.

    Twelve hours unless said otherwise: the session's own run has brought its facts by then.
    """

    def __init__(self, calendar: str, minutes: int = 720) -> None:
        super().__init__(calendar, minutes)
        self.description = f"{minutes} minutes after the last close of each week of {calendar}"

    @property
    def summary(self) -> str:
        """What the list of DAGs shows."""
        return f"{self.calendar} week's close + {self.minutes} min"

    def _chosen(self, session: date) -> date:
        while _week(later := shift(self.calendar, session, 1)) == _week(session):
            session = later
        return session


def _week(session: date) -> tuple[int, int]:
    year, week, _ = session.isocalendar()
    return year, week


class ExchangePlugin(AirflowPlugin):
    """Registers the timetables, so that Airflow may store and restore them."""

    name = "exchange_timetable"
    timetables = [SessionClose, WeekClose]  # noqa: RUF012
