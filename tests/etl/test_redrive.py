"""Refused rows after a mend: what passes now is appended once, and nothing newer is replaced."""

import re
import shlex
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.settings import settings
from contracts.store import Store
from contracts.tables import ACTIONS, BARS, HEADLINE_SYMBOLS, HEADLINES
from contracts.universe import universe
from etl.batch.batch import Batch
from etl.load import append, collect
from etl.quality.clean import clean
from etl.quality.redrive import Choice, MendError, Redriven, redrive
from etl.source import SOURCES

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
ALL = Choice()


def load(store: Store, now: datetime = NOW) -> None:
    batch = Batch("files", "test", *SOURCES.get("files").extent(universe(), settings(), now))
    collect(batch, settings(), now)
    clean(store, batch)
    append(store, batch)


def test_rows_of_a_symbol_that_became_known_are_reloaded_once(store: Store, folder: Any) -> None:
    folder.add("actions.csv", "CCC,2024-07-05,dividend,0.5", "DDD,2024-07-05,dividend,0.5")
    folder.tell(id="x", published_at="2024-07-05T14:00:00Z", text="of CCC", symbols=["CCC"])
    folder.tell(id="y", published_at="2024-07-05T14:00:00Z", text="both", symbols=["AAA", "CCC"])
    load(store)
    early = redrive(store, ALL, {}, NOW)
    assert sum(found.added for found in early.values()) == 0
    assert early["actions"] == Redriven(0, 0, {"unknown symbol": 2})
    (folder.path / "actions.csv").write_text("symbol,ex_date,kind,value\n")
    (folder.path / "headlines.jsonl").write_text("")
    folder.add("bars.csv", "CCC,2024-07-05,1,2,1,1,5")
    load(store, LATER)
    done = redrive(store, ALL, {}, LATER)
    assert done["actions"] == Redriven(1, 0, {"unknown symbol": 1})
    assert done["headlines"].added == 1 and done["headline_symbols"].added == 2
    snapshot = store.snapshot()
    [paid] = store.read(ACTIONS, LATER, snapshot, {"instrument_id": "CCC"}).to_pylist()
    assert (paid["value"], paid["known_at"]) == (0.5, datetime(2024, 7, 4, tzinfo=UTC))
    [told] = store.read(HEADLINES, LATER, snapshot, {"native_id": "x"}).to_pylist()
    assert (told["text"], told["known_at"]) == ("of CCC", datetime(2024, 7, 5, 14, tzinfo=UTC))
    named = store.read(HEADLINE_SYMBOLS, LATER, snapshot, {"instrument_id": "CCC"})
    assert named["native_id"].to_pylist() == ["x", "y"]
    again = redrive(store, ALL, {}, LATER)
    assert {name: found.added for name, found in again.items()} == dict.fromkeys(done, 0)
    assert store.snapshot() == snapshot


def test_a_cell_is_mended_by_hand(store: Store, folder: Any) -> None:
    text = (folder.path / "bars.csv").read_text().splitlines()
    broken = [line.replace("900", "nine") if "BBB,2024-07-05" in line else line for line in text]
    (folder.path / "bars.csv").write_text("\n".join(broken) + "\n")
    folder.add("bars.csv", "AAA,2024-07-04,1,2,1,1,5")
    load(store)
    chosen = Choice("bars", "files", "volume is not a number")
    assert redrive(store, chosen, {}, LATER)["bars"].refused == {"volume is not a number: nine": 1}
    assert redrive(store, chosen, {"volume": "900"}, LATER)["bars"] == Redriven(1, 0, {})
    assert redrive(store, chosen, {"volume": "900"}, LATER)["bars"] == Redriven(0, 1, {})
    where = {"instrument_id": "BBB", "session": date(2024, 7, 5)}
    [bar] = store.read(BARS, LATER, store.snapshot(), where).to_pylist()
    assert (bar["volume"], bar["close"]) == (900.0, 50.0)
    assert bar["known_at"] == bar["event_time"] == datetime(2024, 7, 5, 20, tzinfo=UTC)
    verb = store.query("SELECT verb FROM loads ORDER BY load_id DESC LIMIT 1")["verb"]
    assert verb.to_pylist() == ["redrive"]


def test_a_fact_that_is_there_is_not_replaced(store: Store, folder: Any) -> None:
    folder.add("bars.csv", "AAA,2024-07-01,10,12,9,10.5,900", "AAA,2024-07-02,1,2,1,-1,5")
    load(store)
    before = store.snapshot()
    done = redrive(store, ALL, {"close": "1.5"}, LATER)["bars"]
    # The second row of a key was refused for the first one's sake: there is nothing to mend.
    assert done == Redriven(0, 1, {})
    assert store.snapshot() == before


def test_a_mend_must_name_a_column(store: Store, folder: Any) -> None:
    folder.add("bars.csv", "AAA,2024-07-04,1,2,1,1,5")
    load(store)
    with pytest.raises(MendError, match="bars has no columns"):
        redrive(store, ALL, {"price": "1"}, NOW)


def test_a_text_that_was_cut_stays_refused(store: Store, folder: Any) -> None:
    folder.tell(id="x", text="long " * 200, published_at="2024-07-05T14:00:00")
    load(store)
    done = redrive(store, ALL, {"event_time": "2024-07-05T14:00:00Z"}, LATER)["headlines"]
    assert done.refused == {"text was cut when it was refused: load it from its source again": 1}


def test_what_the_page_shows_works(store: Store, folder: Any) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "files_layout.md").read_text()
    shown = [shlex.split(line) for line in re.findall(r"`python (-m etl redrive[^`]*)`", text)]
    rows = (folder.path / "bars.csv").read_text().splitlines()
    kept = [row for row in rows if "BBB,2024-07-05" not in row]
    (folder.path / "bars.csv").write_text("\n".join([*kept, "bbb,2024-07-05,50,52,49,51,n/a\n"]))
    folder.add("actions.csv", "CCC,2024-07-05,dividend,0.05")
    load(store)
    folder.add("bars.csv", *(f"CCC,{row.split(',', 1)[1]}" for row in kept if row[:3] == "AAA"))
    (folder.path / "actions.csv").write_text("symbol,ex_date,kind,value\n")
    load(store, LATER)
    said = []
    for words in shown:
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.splitlines()[-1])
    assert said[:2] == ["1 rows added", "1 rows added"]
    where = {"instrument_id": "BBB", "session": date(2024, 7, 5)}
    now = datetime.now(UTC)
    [bar] = store.read(BARS, now, store.snapshot(), where).to_pylist()
    assert (bar["volume"], bar["close"]) == (900.0, 51.0)
    [paid] = store.read(ACTIONS, now, store.snapshot(), {"instrument_id": "CCC"}).to_pylist()
    assert paid["value"] == 0.05


def test_a_bar_without_session_finds_its_own(store: Store, folder: Any) -> None:
    (folder.path / "bars.csv").write_text("symbol,event_time,open,high,low,close,volume\n")
    for day, volume in (("01", "900"), ("02", "x"), ("03", "900")):
        hour = "17" if day == "03" else "20"
        folder.add("bars.csv", f"AAA,2024-07-{day}T{hour}:00:00Z,10,12,9,10,{volume}")
    load(store)
    done = redrive(store, Choice("bars", "files", "volume"), {"volume": "7"}, LATER)
    assert done["bars"] == Redriven(1, 0, {})
    [bar] = store.read(BARS, LATER, 99, {"session": date(2024, 7, 2)}).to_pylist()
    assert (bar["volume"], bar["event_time"]) == (7.0, datetime(2024, 7, 2, 20, tzinfo=UTC))


def test_what_is_implausible_is_tried_only_by_its_reason(store: Store, folder: Any) -> None:
    folder.add("actions.csv", "BBB,2024-07-05,dividend,49.5")
    load(store)
    assert redrive(store, ALL, {}, LATER) == {}
    chosen = Choice("actions", reason="price did not fall")
    mended = redrive(store, chosen, {"value": "0.5"}, LATER)
    assert mended["actions"] == Redriven(1, 0, {})
    paid = store.read(ACTIONS, LATER, 99, {"instrument_id": "BBB"})
    assert paid["value"].to_pylist() == [0.5]
