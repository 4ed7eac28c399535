"""What champions that a person chose, and challengers that are staged, have not forecast yet.

A contest's winner gets its forecasts from the step after it in its DAG; a choice made in MLflow, a
rollback and the begin of a release have no such step, and the predictor serves nobody without
forecasts.
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
), release AS (
  SELECT DISTINCT ON (universe, target) universe, target, bundle, stage FROM rollouts
  ORDER BY universe, target, number DESC
), wanted AS (
  SELECT universe, target, bundle FROM office WHERE cause <> 'contest'
  UNION SELECT universe, target, bundle FROM release WHERE stage IN ('shadow', 'canary')
)
SELECT universe, target, bundle, newest.session, snapshot FROM wanted, LATERAL (
  SELECT session, max(snapshot) AS snapshot FROM predictions p
  WHERE p.universe = wanted.universe AND p.target = wanted.target AND session = (
    SELECT max(session) FROM predictions m
    WHERE m.universe = wanted.universe AND m.target = wanted.target)
  GROUP BY session
) newest
WHERE NOT EXISTS (
  SELECT FROM predictions p WHERE p.universe = wanted.universe AND p.target = wanted.target
    AND p.session = newest.session AND p.bundle = wanted.bundle
)
ORDER BY universe, target, bundle
"""


@dataclass(frozen=True)
class Gap:
    """What a champion, or a challenger to it, has not forecast: the newest session, and the loads
    that were seen."""

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
    """Of each office the newest session that was forecast, but not by its champion or by the
    challenger that is staged."""
    return [Gap(**row) for row in store.query(_GAPS, (PROMOTED, ROLLED_BACK)).to_pylist()]
