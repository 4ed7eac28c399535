"""Moments that the dashboard marks: when the ledgers last decided what about an office."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily

from contracts.champion import PROMOTED, ROLLED_BACK, STAGED
from contracts.release.rollout import ROLLBACK
from contracts.store import Store

_NEWEST = """
SELECT DISTINCT ON (universe, target, decision) universe, target, decision, cause, bundle,
  model_version AS version, decided_at FROM promotions WHERE decision IN (%s, %s, %s)
ORDER BY universe, target, decision, number DESC
"""
# A challenger that went before it came into office is in the ledger of releases alone.
_SENT_BACK = """
SELECT DISTINCT ON (universe, target) universe, target, 'release rolled back' AS decision,
  'gate' AS cause, bundle, model_version AS version, decided_at FROM rollouts WHERE verdict = %s
ORDER BY universe, target, number DESC
"""
_LABELS = ("universe", "target", "decision", "cause", "version", "bundle")


def notes(store: Store) -> Iterator[GaugeMetricFamily]:
    """When each kind of decision was last made about an office; what was before, its Prometheus
    remembers."""
    rows = store.query(_NEWEST, (PROMOTED, ROLLED_BACK, STAGED)).to_pylist()
    rows += store.query(_SENT_BACK, (ROLLBACK,)).to_pylist()
    text = "When the ledger last decided so."
    family = GaugeMetricFamily("finpulse_decision_timestamp_seconds", text, labels=_LABELS)
    for row in rows:
        family.add_metric([str(row[name]) for name in _LABELS], row["decided_at"].timestamp())
    yield family
