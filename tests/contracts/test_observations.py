"""Observations of instruments and of none: facts apart, each with its versions."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import postgres as launcher
import pyarrow as pa
import pytest

from contracts.migrations import upgrade
from contracts.store import Provenance, Store
from contracts.tables import OBSERVATIONS

pytestmark = pytest.mark.integration
WHEN = datetime(2024, 6, 10, 20, tzinfo=UTC)
MADE = Provenance("load", "made", "simulated")


def rows(*told: tuple[str | None, float], known_at: datetime = WHEN) -> pa.Table:
    about = {"series": "revenue", "event_time": WHEN, "source": "made", "known_at": known_at}
    listed = [about | {"instrument_id": name, "value": value} for name, value in told]
    return pa.Table.from_pylist(listed, schema=OBSERVATIONS.schema)


def known(store: Store, at: datetime = WHEN) -> dict[str | None, float]:
    found = store.read(OBSERVATIONS, at, store.snapshot()).to_pylist()
    assert len(found) == len({row["instrument_id"] for row in found})
    return {row["instrument_id"]: row["value"] for row in found}


def test_one_series_of_two_instruments_and_of_none_is_three_facts(store: Store) -> None:
    told = (("A", 1.0), ("B", 2.0), (None, 3.0))
    assert store.append(OBSERVATIONS, rows(*told), MADE).added == 3
    assert known(store) == dict(told)
    again = store.append(OBSERVATIONS, rows(*told), MADE)
    assert (again.added, again.dropped) == (0, 3), "equal ones are dropped, without a name too"


def test_each_is_restated_by_itself(store: Store) -> None:
    store.append(OBSERVATIONS, rows(("A", 1.0), ("B", 2.0), (None, 3.0)), MADE)
    late = WHEN + timedelta(days=1)
    store.append(OBSERVATIONS, rows(("B", 2.5), (None, 3.5), known_at=late), MADE)
    assert known(store) == {"A": 1.0, "B": 2.0, None: 3.0}
    assert known(store, late) == {"A": 1.0, "B": 2.5, None: 3.5}
    assert store.versions(OBSERVATIONS, late, store.snapshot()).num_rows == 5


def test_observations_of_before_stay(postgres_url: str) -> None:
    name = f"test_{uuid4().hex}"
    launcher.create_database(postgres_url, name)
    store = Store(postgres_url.rsplit("/", 1)[0] + f"/{name}")
    upgrade.upgrade(store.url, "0012")
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO observations (series, event_time, source, value, known_at, load_id) "
            "VALUES ('revenue', %(t)s, 'made', 3.0, %(t)s, 1)",
            {"t": WHEN},
        )
    store.migrate()
    assert upgrade.differences(store.url) == []
    assert store.read(OBSERVATIONS, WHEN, 1)["value"].to_pylist() == [3.0]
    added = store.append(OBSERVATIONS, rows((None, 3.0), ("A", 1.0)), MADE)
    assert (added.added, added.dropped) == (1, 1)
