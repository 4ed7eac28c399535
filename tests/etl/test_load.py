"""From a source to the facts in a real database, through staging and the gate."""

import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts.settings import Settings, settings
from contracts.store import OriginError, Store
from contracts.tables import BARS, TABLES
from contracts.universe import universe
from etl.batch.batch import Batch, NotCollected, manifest
from etl.batch.staging import ORDER
from etl.load import append, collect
from etl.quality.clean import clean
from etl.quality.gate import GateError, check
from etl.source import SOURCES, Source

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch, store: Store) -> Settings:
    """Settings of a small simulated market, for this process and its children."""
    monkeypatch.setenv("FINPULSE_SIM_INSTRUMENTS", "3")
    monkeypatch.setenv("FINPULSE_SIM_SESSIONS", "40")
    settings.cache_clear()
    return settings()


def whole(source: str = "simulated") -> Batch:
    return Batch(source, "test", *SOURCES.get(source).extent(universe(), settings(), NOW))


def load(store: Store, batch: Batch, now: datetime = NOW) -> dict[str, int]:
    collect(batch, settings(), now)
    clean(store, batch)
    return {name: done.added for name, done in append(store, batch).items()}


def facts(store: Store) -> dict[str, list[dict[str, Any]]]:
    """All versions of all facts, without what tells when they were loaded."""
    return {
        name: store.versions(TABLES[name], NOW, 1 << 40, columns=TABLES[name].names).to_pylist()
        for name in ORDER
    }


def verb(*words: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "etl", *words],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_loading_twice_adds_nothing(store: Store, market: Settings) -> None:
    added = load(store, whole())
    assert added["bars"] >= 120 and added["memberships"] == 3 + 3  # and sectors
    assert store.query("SELECT count(*) n FROM rejected")["n"].to_pylist() == [0]
    assert set(load(store, whole(), datetime.now(UTC)).values()) == {0}


@pytest.mark.troubleshooting("this database holds the simulated market of ...")
@pytest.mark.parametrize(("key", "value"), [("SEED", "8"), ("NOISE", "true"), ("INSTRUMENTS", "4")])
def test_a_database_takes_one_simulated_market(
    store: Store, market: Settings, monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    load(store, whole())
    before = facts(store)
    monkeypatch.setenv(f"FINPULSE_SIM_{key}", value)
    settings.cache_clear()
    with pytest.raises(
        OriginError, match=r"this database holds the simulated market of seed 7.*FINPULSE_SIM_"
    ):
        load(store, whole())
    assert facts(store) == before


def test_parts_add_up_to_the_whole(store: Store, market: Settings) -> None:
    batch = whole()
    days = sorted({row["session"] for row in _bars(batch)})
    middle = days[len(days) // 2]
    before = days[len(days) // 2 - 1]
    load(store, Batch("simulated", "test", batch.first, before))
    load(store, Batch("simulated", "test", middle, batch.last))
    assert set(load(store, batch).values()) == {0}


def _bars(batch: Batch) -> list[dict[str, Any]]:
    collect(batch, settings(), NOW)
    import pyarrow.parquet as pq

    from contracts import objects

    return [
        row
        for key in manifest(batch).parts["bars"]
        for row in pq.read_table(pa.BufferReader(objects.get(key))).to_pylist()
    ]


def test_a_restated_bar_is_read_as_it_was_known(store: Store, folder: Any) -> None:
    load(store, whole("files"))
    text = (folder.path / "bars.csv").read_text()
    (folder.path / "bars.csv").write_text(text.replace("12.0,14.0,9.0,10.0", "12.0,14.0,9.0,11.0"))
    later = datetime(2026, 1, 3, 12, tzinfo=UTC)
    assert load(store, whole("files"), later)["bars"] == 1
    where = {"instrument_id": "AAA", "session": date(2024, 7, 3)}
    assert store.read(BARS, NOW, 99, where)["close"].to_pylist() == [10.0]
    assert store.read(BARS, later, 99, where)["close"].to_pylist() == [11.0]


def test_refused_rows_are_recorded_once(store: Store, folder: Any) -> None:
    folder.add("bars.csv", "AAA,2024-07-04,1,2,1,1,5", "BBB,2024-07-05,1,1,2,x\x00y,5")
    folder.tell(id="n", text="\x00 null", published_at="2024-07-01T14:00:00Z")
    for _ in range(2):
        load(store, whole("files"))
        found = store.query("SELECT table_name, reason, row::text FROM rejected ORDER BY reason")
        assert [row["reason"] for row in found.to_pylist()] == [
            "close is not a number: x\x00y".replace("\x00", "\N{REPLACEMENT CHARACTER}"),
            "date is no session of the calendar",
            "text holds a null character",
        ]


@pytest.mark.troubleshooting("this database holds simulated facts")
def test_two_origins_never_meet(store: Store, market: Settings, folder: Any) -> None:
    load(store, whole())
    with pytest.raises(
        OriginError, match="this database holds simulated facts and 'files' brings real ones"
    ):
        load(store, whole("files"))


def test_the_gate_lets_sound_rows_pass_and_writes_its_pages(
    store: Store, market: Settings, tmp_path: Path
) -> None:
    batch = whole()
    collect(batch, settings(), NOW)
    clean(store, batch)
    held, url = check(store, batch, tmp_path)
    page = Path(url.removeprefix("file://"))
    text = page.read_text()
    links = re.findall('href="([^"]+)"', text)
    assert held > 50 and {"bars", "headlines"} <= set(re.findall(">([a-z_]+)</a>", text))
    # It shows all without network, and leads to pages that are there.
    assert "http" not in text and len(links) >= 2 * 7
    assert all("<html" in (page.parent / link).read_text().lower() for link in links)


@pytest.mark.troubleshooting("expectations failed, see ...")
@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "DELETE FROM {bars} WHERE instrument_id <> 'SIM002' AND session = '2025-05-20'",
            "at least half of the instruments have a bar in every session",
        ),
        ("DELETE FROM {bars}", "there are bars"),
        ("INSERT INTO {bars} SELECT * FROM {bars}", "expect_compound_columns_to_be_unique"),
        ("UPDATE {bars} SET low = high + 1", "low is not above high"),
        ("UPDATE {bars} SET volume = NULL", "expect_column_values_to_not_be_null volume"),
        ("ALTER TABLE {bars} ADD COLUMN surplus int", "expect_table_columns_to_match_set"),
    ],
    ids=["outage", "empty", "repeated", "low", "null", "column"],
)
def test_the_gate_names_what_fails(
    store: Store,
    market: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    named: str,
) -> None:
    monkeypatch.setenv("FINPULSE_SIM_INSTRUMENTS", "6")
    settings.cache_clear()
    batch = whole()
    collect(batch, settings(), NOW)
    clean(store, batch)
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute(statement.format(bars=batch.staging("bars")))
    with pytest.raises(GateError, match=rf"expectations failed, see file:(?s:.*)bars: {named}"):
        check(store, batch, tmp_path)
    [page] = tmp_path.glob("data_docs/*/index.html")
    assert named in page.read_text()


def test_a_step_asks_for_the_one_before(store: Store, market: Settings) -> None:
    with pytest.raises(NotCollected, match="python -m etl collect"):
        clean(store, whole())
    collect(whole(), settings(), NOW)
    with pytest.raises(NotCollected, match="python -m etl clean"):
        append(store, whole())


def test_a_killed_append_is_finished_by_the_next(store: Store, market: Settings) -> None:
    batch = whole()
    collect(batch, settings(), NOW)
    clean(store, batch)
    words = ("append", "--universe", "test", "--first", str(batch.first), "--last", str(batch.last))
    with store.connect() as connection, connection.cursor() as cursor:
        # The loader comes as far as the bars, and is killed while it waits to write them.
        cursor.execute("LOCK TABLE bars IN ACCESS EXCLUSIVE MODE")
        process = verb(*words)
        deadline = time.monotonic() + 60
        while store.snapshot() < 4 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert store.snapshot() == 4
    assert facts(store)["bars"] == []
    again = verb(*words)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert out.splitlines()[-1] == str(store.snapshot()) == "10"
    found = facts(store)
    assert len(found["bars"]) >= 120 and len(found["headline_symbols"]) == len(found["headlines"])
    assert set(load(store, batch).values()) == {0}
    assert facts(store) == found


def test_the_verbs_say_what_is_wrong_in_one_line(store: Store, market: Settings) -> None:
    process = verb("load", "--in-process", "--session", "2025-06-28")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.strip().splitlines() == [
        "SourceError: closed: XNYS has no session from 2025-06-28 to 2025-06-28"
    ]


def test_an_empty_answer_fails_its_task(
    store: Store, market: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Source, "frames", lambda *_: iter(()))
    with pytest.raises(Exception, match="empty: simulated has no bars from"):
        collect(whole(), settings(), NOW)
