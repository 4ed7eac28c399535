"""What was known stays known: reads at (T, S) against a model, over random histories."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from contracts.store import Provenance, Store
from contracts.tables import ACTIONS

pytestmark = pytest.mark.integration
START = datetime(2025, 1, 1, tzinfo=UTC)
ORIGIN = Provenance("load", "simulated", "simulated", vintages=True)

# A load states values of few instruments at few hours, so that restatements and late facts abound.
statement = st.tuples(st.sampled_from("AB"), st.integers(0, 50))
load = st.dictionaries(statement, st.integers(1, 3), min_size=1, max_size=8)
moments = st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 6)), min_size=40, max_size=40)


@pytest.fixture
def family() -> Iterator[int]:
    """Numbers that keep the instruments of one example apart from all others."""
    return count()


def frame(statements: dict[tuple[str, int], int], family: int) -> pa.Table:
    rows = [
        {
            "instrument_id": f"{family}-{instrument}",
            "ex_date": START.date(),
            "kind": "dividend",
            "source": "simulated",
            "value": float(value),
            "known_at": START + timedelta(hours=hour),
        }
        for (instrument, hour), value in statements.items()
    ]
    return pa.Table.from_pylist(rows, schema=ACTIONS.schema)


def newest_known(rows: list[dict[str, Any]], as_of: datetime, snapshot: int) -> dict[str, Any]:
    """The answer by plain reading of the law, over all rows there are."""
    found: dict[str, Any] = {}
    for row in rows:
        if row["known_at"] <= as_of and row["load_id"] <= snapshot:
            version = (row["known_at"], row["load_id"], row["value"])
            found[row["instrument_id"]] = max(found.get(row["instrument_id"], version), version)
    return found


# 25 histories of 40 moments each: 1,000 random (T, S).
@effort(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(loads=st.lists(load, min_size=1, max_size=4), later=load, moments=moments)
def test_reads_agree_with_the_law_and_never_change(
    store: Store,
    family: Iterator[int],
    loads: list[dict[tuple[str, int], int]],
    later: dict[tuple[str, int], int],
    moments: list[tuple[int, int]],
) -> None:
    mine, base = next(family), store.snapshot()
    where = {"instrument_id": [f"{mine}-A", f"{mine}-B"]}
    for statements in loads:
        store.append(ACTIONS, frame(statements, mine), ORIGIN, START + timedelta(hours=55))
    rows = store.query(
        "SELECT * FROM actions WHERE instrument_id = ANY(%s)", [where["instrument_id"]]
    ).to_pylist()
    newest, answers = store.snapshot(), {}
    for hours, steps in moments:
        as_of, snapshot = START + timedelta(hours=hours), min(base + steps, newest)
        read = store.read(ACTIONS, as_of, snapshot, where).to_pylist()
        assert all(r["known_at"] <= as_of and r["load_id"] <= snapshot for r in read)
        answer = {r["instrument_id"]: (r["known_at"], r["load_id"], r["value"]) for r in read}
        assert answer == newest_known(rows, as_of, snapshot)
        answers[as_of, snapshot] = read
    store.append(ACTIONS, frame(later, mine), ORIGIN, START + timedelta(hours=58))
    for (as_of, snapshot), read in answers.items():
        assert store.read(ACTIONS, as_of, snapshot, where).to_pylist() == read
