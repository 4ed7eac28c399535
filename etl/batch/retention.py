"""Batches that have done their duty: their raw parts and staging tables are removed."""

from datetime import datetime, timedelta

from contracts import objects
from contracts.store import Store
from etl.batch.batch import ROOT, Batch, Manifest, manifest, manifest_in

KEPT = 20  # newest batches that stay, to look into
_GIVEN_UP = timedelta(days=7)  # after which a batch that was never appended may go too
_MARK = "appended"


def appended(batch: Batch) -> None:
    """Mark the batch as appended, in the state in which it was collected."""
    mark = manifest(batch).collected_at.isoformat()
    objects.put(f"{batch.folder}/{_MARK}", mark.encode())


def prune(store: Store, now: datetime) -> int:
    """Remove all but the newest batches; returns how many.

    One that waits for its append stays, unless it has waited for a week.
    """
    held = {name: manifest_in(f"{ROOT}/{name}") for name in objects.names(ROOT)}
    known = {name: found for name, found in held.items() if found}
    newest = sorted(known, key=lambda name: known[name].collected_at, reverse=True)
    old = [name for name in newest[KEPT:] if _done(name, known[name], now)]
    for name in old:
        _drop_staging(store, name)
        objects.remove(f"{ROOT}/{name}")
    return len(old)


def _done(name: str, held: Manifest, now: datetime) -> bool:
    try:
        mark = objects.get(f"{ROOT}/{name}/{_MARK}").decode()
    except FileNotFoundError:
        mark = ""
    return mark == held.collected_at.isoformat() or now - held.collected_at > _GIVEN_UP


def _drop_staging(store: Store, batch_id: str) -> None:
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'staging' "
            "AND starts_with(reverse(tablename), reverse(%s))",
            (f"_{batch_id}",),
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f'DROP TABLE IF EXISTS staging."{table}"')
