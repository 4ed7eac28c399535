"""Work that the ledger asks for is started by telling Airflow: nothing is worked out here."""

import logging
import time
from dataclasses import asdict

from contracts.gap import Gap
from monitoring.office.airflow import Airflow, AirflowError

log = logging.getLogger(__name__)

# What was told and did not help is told again after this, then after twice as long, and so on.
AGAIN_SECONDS = 60.0
_LONGEST = 3_600.0


class Waker:
    """Tells Airflow of a gap once, again while it stays; a gap that could not be told at once."""

    def __init__(self, airflow: Airflow | None) -> None:
        self.airflow = airflow
        self._told: Gap | None = None
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

    def look(self, gap: Gap | None) -> None:
        """Tell of the gap, unless it was told a short while ago."""
        if gap is None or self.airflow is None:
            self._told = None
            return
        now = time.monotonic()
        if gap == self._told and now < self._next:
            return
        about = {name: str(value) for name, value in asdict(gap).items()}
        try:
            self.airflow.tell(about)
        except AirflowError as error:
            log.error("the champion has no forecasts", extra=about | {"error": str(error)})
            return
        log.info("Airflow was told of a champion without forecasts", extra=about)
        self._pause = min(2 * self._pause, _LONGEST) if gap == self._told else AGAIN_SECONDS
        self._told, self._next = gap, now + self._pause
