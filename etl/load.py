"""From a source to the facts: collect a batch, and append what was staged of it."""

from datetime import datetime

from contracts.settings import Settings
from contracts.settings import settings as configured
from contracts.store import Load, Store
from contracts.tables import TABLES
from contracts.time.amendments import forget
from contracts.universe import universe
from etl.batch.batch import Batch, Manifest, Writer, manifest
from etl.batch.staging import staged_tables
from etl.source import SOURCES, Cause, Request, SourceError


def collect(batch: Batch, settings: Settings, now: datetime) -> Manifest:
    """Ask the source and keep its raw answer in the object store; a repeat replaces it.

    Raises SourceError when the source fails, or brings no bar though it has some; UnknownMember.
    """
    source = SOURCES.get(batch.source)
    writer = Writer(batch, now)
    request = Request(universe(batch.universe, settings), batch.first, batch.last, now, settings)
    for table, frame in source.frames(request):
        writer.add(table, frame)
    needed = "bars" if "bars" in source.tables else source.tables[0]
    if not writer.rows.get(needed):
        told = "".join(f"\n  {line}" for line in request.account.told())
        raise SourceError(
            Cause.EMPTY, f"{batch.source} has no {needed} from {batch.first} to {batch.last}{told}"
        )
    return writer.close(request.account.kept())


def append(store: Store, batch: Batch) -> dict[str, Load]:
    """Append the staged rows of the batch, table by table; a repeat adds nothing.

    Raises OriginError when the database holds facts of the other origin, NotCollected when
    nothing is staged.
    """
    held = manifest(batch)
    provenance = SOURCES.get(batch.source).provenance("append", configured())
    loads: dict[str, Load] = {}
    for name in staged_tables(store, batch):
        loads[name] = store.append_staged(
            TABLES[name], batch.staging(name), provenance, held.collected_at
        )
    forget()
    return loads
