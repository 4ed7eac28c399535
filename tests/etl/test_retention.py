"""Old batches go, with their staging tables; those that are still needed stay."""

from datetime import UTC, date, datetime, timedelta

import pytest

from contracts import objects
from contracts.store import Store
from contracts.tables import BARS
from etl.batch.batch import Batch, NotCollected, Writer, manifest
from etl.batch.retention import KEPT, appended, prune
from etl.batch.staging import stage

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def made(store: Store, number: int, done: bool) -> Batch:
    """A batch collected `number` hours after NOW, staged, and appended if it is `done`."""
    batch = Batch("simulated", f"u{number}", date(2025, 6, 30), date(2025, 6, 30))
    Writer(batch, NOW + timedelta(hours=number)).close()
    stage(store, batch, "bars", BARS.schema.empty_table())
    if done:
        appended(batch)
    return batch


def staged(store: Store) -> set[str]:
    """The staging tables that there are."""
    found = store.query("SELECT tablename::text t FROM pg_tables WHERE schemaname = 'staging'")
    return {f"staging.{name}" for name in found["t"].to_pylist()}


def test_the_oldest_appended_batches_go(store: Store) -> None:
    batches = [made(store, number, done=number != 1) for number in range(KEPT + 4)]
    soon = NOW + timedelta(days=2)
    assert prune(store, soon) == 3
    assert prune(store, soon) == 0
    gone = {batches[0], batches[2], batches[3]}
    assert staged(store) == {batch.staging("bars") for batch in batches if batch not in gone}
    for batch in gone:
        with pytest.raises(NotCollected):
            manifest(batch)
        assert objects.names(batch.folder) == []
    # What waits for its append stays, but not for ever.
    assert manifest(batches[1])
    assert prune(store, NOW + timedelta(days=8)) == 1


def test_a_batch_collected_again_is_not_done(store: Store) -> None:
    first = made(store, 0, done=True)
    Writer(first, NOW + timedelta(minutes=1)).close()
    for number in range(1, KEPT + 1):
        made(store, number, done=True)
    assert prune(store, NOW + timedelta(days=2)) == 0
    assert manifest(first)
