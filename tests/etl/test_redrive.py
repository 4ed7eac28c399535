"""Refused rows after a mend: what passes now is appended once, and nothing newer is replaced."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from contracts.settings import settings
from contracts.store import Store
from contracts.tables import ACTIONS, BARS, HEADLINE_SYMBOLS, HEADLINES
from etl.batch import Batch
from etl.clean import clean
from etl.load import append, collect
from etl.redrive import Choice, MendError, Redriven, redrive
from etl.source import SOURCES

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
ALL = Choice()


def load(store: Store, now: datetime = NOW) -> None:
    batch = Batch("files", "test", *SOURCES.get("files").extent(settings(), now))
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
