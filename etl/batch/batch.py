"""A batch: what one request brought, from raw Parquet to its staging tables."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from hashlib import sha256
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts import objects
from contracts.expected import Expected
from contracts.time.amendments import amendments_of, stating
from etl.source import FAULT

ROOT = "staging"  # where batches lie in the object store
_ROWS = 200_000  # rows of a raw part, so that neither writing nor reading holds more


class NotCollected(Expected, LookupError):
    """A step was asked for a batch that the step before has not made; names the verb to run."""


@dataclass(frozen=True)
class Batch:
    """The identity of a batch: the same request is the same batch, however often it is run."""

    source: str
    universe: str
    first: date
    last: date

    @property
    def id(self) -> str:
        """Ten hexadecimal digits that name this batch's files and staging tables."""
        text = f"{self.source}|{self.universe}|{self.first}|{self.last}"
        return sha256(text.encode()).hexdigest()[:10]

    def staging(self, table: str) -> str:
        """The staging table of this batch that holds rows for `table`."""
        return f"staging.{table}_{self.id}"

    @property
    def folder(self) -> str:
        """Where the batch lies in the object store."""
        return f"{ROOT}/{self.id}"

    def __str__(self) -> str:
        return f"{self.source} {self.universe} {self.first} to {self.last}"


@dataclass(frozen=True)
class Manifest:
    """What was collected: when, the raw parts and rows of each table, and the source's account."""

    collected_at: datetime
    parts: dict[str, list[str]]
    rows: dict[str, int]
    account: dict[str, Any] = field(default_factory=dict)


class Writer:
    """Gathers frames into raw parts; `close` makes them count, all at once."""

    def __init__(self, batch: Batch, collected_at: datetime) -> None:
        self._batch = batch
        self._collected_at = collected_at
        self._pending: dict[str, list[pa.Table]] = {}
        self._parts: dict[str, list[str]] = {}
        self.rows: dict[str, int] = {}

    def add(self, table: str, frame: pa.Table) -> None:
        """Keep the frame's rows behind those that came before."""
        pending = self._pending.setdefault(table, [])
        pending.append(frame)
        self.rows[table] = self.rows.get(table, 0) + frame.num_rows
        if sum(part.num_rows for part in pending) >= _ROWS:
            self._flush(table)

    def _flush(self, table: str) -> None:
        frame = pa.concat_tables(self._pending.pop(table))
        names = self._parts.setdefault(table, [])
        place = self.rows[table] - frame.num_rows
        numbered = frame.append_column(
            "place", pa.array(range(place, self.rows[table]), pa.int64())
        )
        buffer = BytesIO()
        pq.write_table(numbered, buffer, compression="zstd")
        # Named by its content: a part never changes under the manifest of an earlier run.
        content = buffer.getvalue()
        key = f"{self._batch.folder}/raw/{table}/{sha256(content).hexdigest()[:16]}.parquet"
        objects.put(key, content)
        names.append(key)

    def close(self, account: dict[str, Any] | None = None) -> Manifest:
        """Write what is left, then the manifest that names the parts.

        account: what became of all that was read (`etl.account`).
        """
        for table in list(self._pending):
            self._flush(table)
        manifest = Manifest(self._collected_at, self._parts, self.rows, account or {})
        text = json.dumps(
            {**asdict(manifest), "batch": str(self._batch)}, default=datetime.isoformat, indent=1
        )
        objects.put(f"{self._batch.folder}/manifest.json", text.encode())
        return manifest


def manifest(batch: Batch) -> Manifest:
    """What was collected for the batch; raises NotCollected."""
    held = manifest_in(batch.folder)
    if held is None:
        raise NotCollected(
            f"nothing is collected for {batch}: run `python -m etl collect` with the same options"
        )
    return held


def manifest_in(folder: str) -> Manifest | None:
    """The manifest of the batch that lies in that folder; None where there is none."""
    try:
        held = json.loads(objects.get(f"{folder}/manifest.json"))
    except FileNotFoundError:
        return None
    collected_at = datetime.fromisoformat(held["collected_at"])
    return Manifest(collected_at, held["parts"], held["rows"], held.get("account", {}))


@contextmanager
def stated_in(held: Manifest) -> Iterator[None]:
    """Calendars within the block are as the batch's own `trading_sessions` say."""
    rows = [
        row
        for part in parts(held, "trading_sessions")
        for row in part.to_pylist()
        if row[FAULT] is None and all(row[name] is not None for name in _STATED)
    ]
    with stating(amendments_of(rows).rows):
        yield


_STATED = ("calendar", "session", "timezone", "known_at")


def parts(held: Manifest, table: str) -> Iterator[pa.Table]:
    """The raw parts of one table, in the order in which they were delivered."""
    for key in held.parts.get(table, []):
        yield pq.read_table(pa.BufferReader(objects.get(key)))
