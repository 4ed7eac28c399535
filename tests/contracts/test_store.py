"""The three clocks, against a real Postgres."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import psycopg2
import pyarrow as pa
import pytest

from contracts.store import OriginError, Provenance, Store, StoreUnavailable
from contracts.table import FrameError
from contracts.tables import BARS, EMBEDDINGS, HEADLINES, REJECTED

pytestmark = pytest.mark.integration

SIMULATED = Provenance("load", "simulated", "simulated")
VINTAGES = Provenance("load", "simulated", "simulated", vintages=True)
DAY = datetime(2025, 3, 3, 21, tzinfo=UTC)


def bars(*rows: tuple[str, datetime, float, datetime]) -> pa.Table:
    """Bars of (instrument, event_time, close, known_at)."""
    return pa.Table.from_pylist(
        [
            {
                "instrument_id": instrument,
                "interval": "1d",
                "session": event.date(),
                "start_time": None,
                "event_time": event,
                "source": "simulated",
                "open": 10.0,
                "high": 20.0,
                "low": 5.0,
                "close": close,
                "volume": 100.0,
                "adjustment": "none",
                "known_at": known,
            }
            for instrument, event, close, known in rows
        ],
        schema=BARS.schema,
    )


def closes(store: Store, as_of: datetime, snapshot: int) -> list[float]:
    return store.read(BARS, as_of, snapshot)["close"].to_pylist()


def test_equal_rows_are_dropped_and_commit_nothing(store: Store) -> None:
    frame = bars(("SIM001", DAY, 11.0, DAY), ("SIM002", DAY, 12.0, DAY))
    assert store.append(BARS, frame, SIMULATED).added == 2
    again = store.append(BARS, frame, SIMULATED)
    assert (again.added, again.dropped, again.load_id) == (0, 2, None)
    assert store.snapshot() == 1


def test_a_differing_row_is_known_from_its_fetching_on(store: Store) -> None:
    store.append(BARS, bars(("SIM001", DAY, 11.0, DAY)), SIMULATED)
    later = DAY + timedelta(days=5)
    store.append(BARS, bars(("SIM001", DAY, 11.5, DAY)), SIMULATED, fetched_at=later)
    assert closes(store, later - timedelta(seconds=1), 2) == [11.0]
    assert closes(store, later, 2) == [11.5]
    assert closes(store, later, 1) == [11.0]


def test_a_revert_is_a_version_too(store: Store) -> None:
    for day, close in ((0, 11.0), (1, 11.5), (2, 11.0)):
        when = DAY + timedelta(days=day)
        store.append(BARS, bars(("SIM001", DAY, close, DAY)), SIMULATED, fetched_at=when)
    assert [closes(store, DAY + timedelta(days=d), 3) for d in (0, 1, 2)] == [
        [11.0],
        [11.5],
        [11.0],
    ]


def test_vintages_of_one_frame_are_kept_and_repeat_adds_nothing(store: Store) -> None:
    restated = DAY + timedelta(days=2)
    both = bars(("SIM001", DAY, 11.0, DAY), ("SIM001", DAY, 11.5, restated))
    assert store.append(BARS, both, VINTAGES).added == 2
    assert store.append(BARS, both, VINTAGES).added == 0
    assert store.append(BARS, both.slice(0, 1), VINTAGES).added == 0
    assert closes(store, restated - timedelta(seconds=1), 1) == [11.0]
    assert closes(store, restated, 1) == [11.5]


def test_a_late_fact_changes_nothing_at_an_earlier_snapshot(store: Store) -> None:
    first = store.append(BARS, bars(("SIM001", DAY, 11.0, DAY)), SIMULATED)
    earlier = DAY - timedelta(days=1)
    store.append(BARS, bars(("SIM001", earlier, 9.0, earlier)), SIMULATED)
    assert closes(store, DAY, first.load_id or 0) == [11.0]
    assert closes(store, DAY, 2) == [9.0, 11.0]


def test_the_database_refuses_to_forget(store: Store) -> None:
    store.append(BARS, bars(("SIM001", DAY, 11.0, DAY)), SIMULATED)
    for statement in ("UPDATE bars SET close = 1", "DELETE FROM bars", "TRUNCATE loads"):
        with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
            with store.connect() as connection, connection.cursor() as cursor:
                cursor.execute(statement)


def test_simulated_and_real_facts_never_meet(store: Store) -> None:
    store.append(BARS, bars(("SIM001", DAY, 11.0, DAY)), SIMULATED)
    with pytest.raises(OriginError, match="holds simulated facts"):
        store.append(BARS, bars(("AAPL", DAY, 11.0, DAY)), Provenance("load", "yahoo", "real"))


def test_two_writers_get_load_ids_in_commit_order(store: Store) -> None:
    def write(worker: int) -> list[int]:
        ids = []
        for i in range(10):
            event = DAY + timedelta(days=i)
            load = store.append(BARS, bars((f"SIM{worker}", event, 1.0, event)), SIMULATED)
            ids.append(load.load_id or 0)
        return ids

    with ThreadPoolExecutor(2) as pool:
        ids = [i for found in pool.map(write, (1, 2)) for i in found]
    assert sorted(ids) == list(range(1, 21))
    order = store.query("SELECT load_id FROM loads ORDER BY committed_at")["load_id"].to_pylist()
    assert order == sorted(order)


def test_differing_rows_of_one_key_and_time_are_refused_whole(store: Store) -> None:
    frame = bars(("SIM001", DAY, 11.0, DAY), ("SIM001", DAY, 12.0, DAY))
    with pytest.raises(FrameError, match="one key and known_at"):
        store.append(BARS, frame, SIMULATED)
    assert store.snapshot() == 0


def test_text_survives_the_way_in_and_out(store: Store) -> None:
    text = 'a "quoted", comma\nnew line \\ back ü€ \t'
    row = {"source": "files", "native_id": "", "event_time": DAY, "text": text}
    row |= {"text_hash": "x", "url": None, "known_at": DAY}
    store.append(HEADLINES, pa.Table.from_pylist([row], schema=HEADLINES.schema), SIMULATED)
    [found] = store.read(HEADLINES, DAY, 1).to_pylist()
    assert found == row | {"load_id": 1}


def test_a_ledger_keeps_the_first_row_of_a_key(store: Store) -> None:
    row = {"row_hash": "h", "table_name": "bars", "source": "files", "batch": "b"}
    row |= {"reason": "high below low", "row": '{"close": 1}', "rejected_at": DAY}
    frame = pa.Table.from_pylist([row], schema=REJECTED.schema)
    assert [store.record(REJECTED, frame) for _ in range(2)] == [1, 0]


def test_a_vector_survives_the_way_in_and_out(store: Store) -> None:
    vectors = [[0.1, -2e-30, 1e30], []]
    texts = [{"text_hash": h, "model_version": "1", "embedded_at": DAY} for h in "ab"]
    rows = [text | {"vector": v} for text, v in zip(texts, vectors, strict=True)]
    assert store.record(EMBEDDINGS, pa.Table.from_pylist(rows, schema=EMBEDDINGS.schema)) == 2
    found = store.query("SELECT vector FROM embeddings ORDER BY text_hash")["vector"]
    assert (
        found.to_pylist() == pa.array(vectors, EMBEDDINGS.schema.field("vector").type).to_pylist()
    )


def test_conditions_select_by_value_list_and_range(store: Store) -> None:
    days = [DAY + timedelta(days=i) for i in range(4)]
    store.append(BARS, bars(*((s, d, 1.0, d) for s in ("A", "B", "C") for d in days)), SIMULATED)
    where = {"instrument_id": ["A", "B"], "session": (date(2025, 3, 4), None), "interval": "1d"}
    assert store.read(BARS, days[-1], 1, where, columns=("close",)).num_rows == 6
    where["session"] = date(2025, 3, 4)
    assert store.read(BARS, days[-1], 1, where)["instrument_id"].to_pylist() == ["A", "B"]


def test_a_lost_database_is_named() -> None:
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1"):
        Store("postgresql://nobody:x@127.0.0.1:9/none").snapshot()
