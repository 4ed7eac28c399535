"""What champions that a person chose have not forecast yet.

A contest's winner gets its forecasts from the step after it in its DAG; a choice made in MLflow and
a rollback have no such step, and the predictor serves no champion without forecasts.
"""

from dataclasses import dataclass
from datetime import date

from contracts.champion import PROMOTED, ROLLED_BACK, Office
from contracts.store import Store

# The newest forecasts of an office are found by an index, however many there are.
_GAPS = """
WITH office AS (
  SELECT DISTINCT ON (universe, target) universe, target, bundle, cause FROM promotions
  WHERE decision IN (%s, %s) ORDER BY universe, target, number DESC
)
SELECT universe, target, bundle, newest.session, snapshot FROM office, LATERAL (
  SELECT session, max(snapshot) AS snapshot FROM predictions p
  WHERE p.universe = office.universe AND p.target = office.target AND session = (
    SELECT max(session) FROM predictions m
    WHERE m.universe = office.universe AND m.target = office.target)
  GROUP BY session
) newest
WHERE cause <> 'contest' AND NOT EXISTS (
  SELECT FROM predictions p WHERE p.universe = office.universe AND p.target = office.target
    AND p.session = newest.session AND p.bundle = office.bundle
)
ORDER BY universe, target
"""


@dataclass(frozen=True)
class Gap:
    """What a champion in office has not forecast: the newest session, and the loads it saw."""

    universe: str
    target: str
    bundle: str
    session: date
    snapshot: int

    @property
    def office(self) -> Office:
        """Where it is champion."""
        return Office(self.universe, self.target)


def gaps(store: Store) -> list[Gap]:
    """Of each office the newest session that was forecast, but not by its champion."""
    return [Gap(**row) for row in store.query(_GAPS, (PROMOTED, ROLLED_BACK)).to_pylist()]
