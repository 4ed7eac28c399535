"""Alarms that wake `train_models`: what the ledger calls for, told to Airflow once."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from contracts.champion import PROMOTED, ROLLED_BACK
from contracts.store import Store
from monitoring.office.airflow import Airflow, AirflowError

log = logging.getLogger(__name__)

# The asset on which `dags/train_the_models.py` is scheduled.
ALARMS = "finpulse://ledger/alarms"
# The newest call of each office, while its champion is the one that it is about, and nobody has
# decided anything since.
_CALLS = """
WITH office AS (
  SELECT DISTINCT ON (universe, target) universe, target, bundle FROM promotions
  WHERE decision IN (%s, %s) ORDER BY universe, target, number DESC
), newest AS (
  SELECT DISTINCT ON (universe, target) universe, target, session, snapshot, bundle,
    family, scored_at
  FROM alarms WHERE wakes
  ORDER BY universe, target, session DESC, snapshot DESC, number / severe DESC
)
SELECT universe, target, family, session, snapshot, bundle
FROM newest JOIN office USING (universe, target, bundle)
WHERE NOT EXISTS (
  SELECT FROM promotions p WHERE p.universe = newest.universe AND p.target = newest.target
    AND p.decided_at > newest.scored_at)
ORDER BY universe, target
"""


@dataclass(frozen=True)
class Call:
    """An alarm that stays, of the champion in office; family: the one farthest beyond its limit."""

    universe: str
    target: str
    family: str
    session: date
    snapshot: int
    bundle: str

    @property
    def about(self) -> dict[str, str]:
        """What Airflow is told of it."""
        return {name: str(value) for name, value in vars(self).items()}


def calls(store: Store) -> list[Call]:
    """What the ledger calls for now, by office."""
    return [Call(**row) for row in store.query(_CALLS, (PROMOTED, ROLLED_BACK)).to_pylist()]


class Caller:
    """Tells Airflow of each call once: Airflow itself remembers what it was told."""

    def __init__(self, airflow: Airflow | None) -> None:
        self.airflow = airflow
        self._told: set[Call] = set()

    def look(self, found: Sequence[Call]) -> None:
        """Tell of a call that it has not heard of; the others, and one that could not be told, are
        told by the next looks.

        Of two events within a second Airflow 3.3.2 may make one run and forget the second.
        """
        self._told &= set(found)
        for call in found:
            if self.airflow is None or call in self._told:
                continue
            if self._tell(self.airflow, call):
                return

    def _tell(self, airflow: Airflow, call: Call) -> bool:
        """Whether an event was posted."""
        try:
            if news := not airflow.told(call.about, ALARMS):
                airflow.tell(call.about, ALARMS)
                log.info("Airflow was told of an alarm that stays", extra=call.about)
        except AirflowError as error:
            log.error("an alarm calls for training", extra=call.about | {"error": str(error)})
            return False
        self._told.add(call)
        return news
