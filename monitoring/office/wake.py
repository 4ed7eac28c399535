"""Work that the ledger asks for is started by telling Airflow: nothing is worked out here."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict

from contracts.gap import Gap
from monitoring.office.airflow import Airflow, AirflowError

log = logging.getLogger(__name__)

# What was told and did not help is told again after this, then after twice as long, and so on.
AGAIN_SECONDS = 60.0
_LONGEST = 3_600.0


class Waker:
    """Tells Airflow of gaps once, again while one stays; what could not be told at once.

    One event tells of all: the DAG that it wakes asks the ledger for every office.
    """

    def __init__(self, airflow: Airflow | None) -> None:
        self.airflow = airflow
        self._told: tuple[Gap, ...] = ()
        self._next = 0.0
        self._pause = AGAIN_SECONDS
        if airflow is None:
            log.error(
                "no Airflow is configured: champions chosen by hand get no forecasts; set "
                "FINPULSE_AIRFLOW_URL, FINPULSE_AIRFLOW_USER and FINPULSE_AIRFLOW_PASSWORD"
            )

    @property
    def reachable(self) -> bool:
        """Whether Airflow could be told now; False where none is configured."""
        if self.airflow is None:
            return False
        try:
            return self.airflow.ledger() > 0
        except AirflowError as error:
            log.error("Airflow cannot be told of the ledger", extra={"error": str(error)})
            return False

    def look(self, found: Sequence[Gap]) -> None:
        """Tell of the gaps, unless all were told a short while ago."""
        known, self._told = self._told, tuple(gap for gap in self._told if gap in found)
        if not found or self.airflow is None:
            return
        now, stay = time.monotonic(), set(found) <= set(known)
        if stay and now < self._next:
            return
        about = _about(found)
        try:
            self.airflow.tell(about)
        except AirflowError as error:
            log.error("the champion has no forecasts", extra=about | {"error": str(error)})
            return
        log.info("Airflow was told of a champion without forecasts", extra=about)
        self._pause = min(2 * self._pause, _LONGEST) if stay else AGAIN_SECONDS
        self._told, self._next = tuple(found), now + self._pause


def _about(found: Sequence[Gap]) -> dict[str, str]:
    rows = [asdict(gap) for gap in found]
    return {name: ", ".join(dict.fromkeys(str(row[name]) for row in rows)) for name in rows[0]}
