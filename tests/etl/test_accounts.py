"""An adversarial folder: what loads, what is refused by which name, and what is told besides."""

import gzip
import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from contracts.settings import settings
from contracts.universe import universe
from etl.account import told
from etl.batch.batch import Batch, manifest
from etl.load import collect
from etl.source import SOURCES, SourceError

FIRST, LAST = date(2024, 7, 1), date(2024, 7, 8)


def kept(folder: Any, now: Any, first: date = FIRST, last: date = LAST) -> dict[str, Any]:
    """Collect the folder's rows of these sessions; the account that the manifest keeps."""
    batch = Batch("files", "test", first, last)
    collect(batch, settings(), now)
    return manifest(batch).account


@pytest.fixture
def now() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 1, 2, 12, tzinfo=UTC)


QUOTED = [
    ('AAA,2024-07-09,10,12,9,11,"1,234,567"', [(10.0, 12.0, 9.0, 11.0, 1234567.0)], []),
    ('AAA,2024-07-09,"1,250.00","1,251.00","1,230.00","1,240.00","12,345"', [],
     ["volume is not a number for certain"]),
    ("AAA,2024-07-09,10,12,9,11,900,extra", [], ["8 cells where the header has 7"]),
    ('AAA,2024-07-09,10,12,9,11,"900', [], ["a quote is not closed, or text follows one"]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "bars", "reasons"), QUOTED)
def test_quotes_are_honoured_and_rows_have_the_headers_cells(
    folder: Any, load_raw: Any, line: str, bars: list[Any], reasons: list[str]
) -> None:
    folder.add("bars.csv", line, "BBB,2024-07-09,1,2,1,1,5")
    found = load_raw("files")
    new = [b for b in found.good["bars"] if b["session"] == date(2024, 7, 9)]
    told_ = [tuple(b[n] for n in ("open", "high", "low", "close", "volume")) for b in new]
    assert told_ == [*bars, (1.0, 2.0, 1.0, 1.0, 5.0)]
    assert [reason.split(":")[0].split(" (")[0] for reason in found.reasons] == reasons


def test_a_dividend_with_a_comma_is_refused(folder: Any, load_raw: Any) -> None:
    folder.add("actions.csv", 'BBB,2024-07-05,dividend,"1,25"')
    assert load_raw("files").reasons == ["value is not a number: 1,25"]


def test_everything_is_delivered_refused_or_left_out(folder: Any, now: Any) -> None:
    folder.add("bars.csv", "AAA,2204-07-05,1,2,1,1,5", "AAA,1924-07-05,1,2,1,1,5", "x,y")
    folder.add("actions.csv", "AAA,2042-07-03,dividend,0.5")
    folder.tell(id="old", published_at="2004-07-05T14:00:00Z", text="t", symbols=["AAA"])
    folder.tell(id="late", published_at="2204-07-05T14:00:00Z", text="t", symbols=["AAA"])
    account = kept(folder, now, last=date(2024, 7, 5))
    assert account["read"] == {"bars": 13, "actions": 2, "headlines": 5, "instruments": 2}
    outside = {(e["table"], e["count"]) for e in account["outside"]}
    # What lies before all that the calendar knows is refused by the rules, later.
    assert outside == {("bars", 2), ("actions", 1), ("headlines", 2)}
    refused = {e["reason"]: e for e in account["refused"]}
    assert set(refused) == {"session lies in the future", "2 cells where the header has 7"}
    assert "2204-07-05" in refused["session lies in the future"]["first"]
    lines = told(account)
    assert any("1924-07-05" in line or "2024-07-08" in line for line in lines)
    for table, read in account["read"].items():
        parts = [e["count"] for part in ("refused", "outside") for e in account[part]
                 if e["table"] == table]  # fmt: skip
        assert read == account["delivered"][table] + sum(parts)


def test_files_that_nobody_reads_are_named(folder: Any, now: Any) -> None:
    (folder.path / "bars").mkdir()
    head = b"session,open,high,low,close,volume\n2024-07-02,1,2,1,1,5\n"
    (folder.path / "bars" / "CCC.CSV").write_bytes(head)
    (folder.path / "bars" / "DDD.csv.gz").write_bytes(gzip.compress(head)[:-9])
    (folder.path / "bars" / "EEE.xlsx").write_bytes(b"PK")
    (folder.path / "notes.txt").write_text("hello")
    (folder.path / "old").mkdir()
    extra = b"symbol,ex_date,kind,value\nBBB,2024-07-03,dividend,0.5\n"
    (folder.path / "actions.csv.gz").write_bytes(gzip.compress(extra))
    account = kept(folder, now)
    assert set(account["unread"]) == {"bars/DDD.csv.gz", "bars/EEE.xlsx", "notes.txt", "old/"}
    assert account["read"]["actions"] == 2 and account["read"]["bars"] == 11
    assert "not read: notes.txt: expected" in "\n".join(told(account))


def test_a_second_row_of_a_symbol_and_an_unknown_calendar_cost_themselves(
    folder: Any, load_raw: Any
) -> None:
    folder.add("instruments.csv", "symbol,name,calendar", "AAA,One,XNYS", "AAA,Two,XNYS")
    folder.add("instruments.csv", "BBB,Bee,MARS", "CCC,Idle,")
    found = load_raw("files")
    assert [row["name"] for row in found.good["instruments"]] == ["One"]
    assert {bar["instrument_id"] for bar in found.good["bars"]} == {"AAA"}
    reasons = [row["reason"] for row in found.refused["instruments"]]
    assert reasons[0] == "repeats the symbol of an earlier row" and "MARS" in reasons[1]
    assert "its row among the instruments is refused" in found.refused["bars"][0]["reason"]


def test_a_name_in_another_encoding_is_never_kept_broken(folder: Any, load_raw: Any) -> None:
    folder.add(
        "instruments.csv", "symbol,name,calendar", "AAA,Soci\u00e9t\u00e9,XNYS".encode("cp1252")
    )
    found = load_raw("files")
    names = {row["instrument_id"]: row["name"] for row in found.good["instruments"]}
    assert names["AAA"] == "AAA" and "\ufffd" not in "".join(names.values())


def test_a_byte_order_mark_and_blanks_make_no_new_symbol(folder: Any, load_raw: Any) -> None:
    for name in ("bars.csv", "headlines.jsonl"):
        path: Path = folder.path / name
        path.write_bytes(
            b"\xef\xbb\xbf"
            + path.read_bytes().replace(b"BBB,2024-07-05", "\u200bBBB\u00a0,2024-07-05".encode())
        )
    found = load_raw("files")
    assert found.reasons == []
    assert {row["symbol"] for row in found.good["symbols"]} == {"AAA", "BBB"}
    assert len(found.good["headlines"]) == 3


@pytest.mark.parametrize("name", [0, 7.0, False])
def test_an_id_of_nothing_is_an_id(folder: Any, load_raw: Any, name: object) -> None:
    folder.tell(id=name, published_at="2024-07-05T14:00:00Z", text="t", symbols=["AAA"])
    found = load_raw("files")
    assert found.reasons == [] and len(found.good["headlines"]) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"id": "x" * 9000},
        {"id": None, "url": "https://example.com/" + "x" * 9000},
        {"symbols": ["AAA", "X" * 9000]},
    ],
)
def test_keys_that_no_index_holds_are_refused(folder: Any, load_raw: Any, change: Any) -> None:
    row = {"id": "x", "published_at": "2024-07-05T14:00:00Z", "text": "t", "symbols": ["AAA"]}
    folder.tell(**row | change)
    found = load_raw("files")
    known = ("unknown symbol", "headline was refused")
    assert found.reasons
    for reason in found.reasons:
        assert reason.endswith("is longer than 1000 bytes") or reason in known
    kept_ = [row["native_id"] for row in found.good["headline_symbols"]]
    assert max(map(len, kept_)) < 1000 and len(found.good["bars"]) == 10


@pytest.mark.parametrize(
    "published_at",
    ["2024-07-05 14:00:00 UTC", "2024-07-05T14:00:00Z", "Fri, 05 Jul 2024 14:00:00 -0000"],
)
def test_times_that_are_certain_are_read(folder: Any, load_raw: Any, published_at: str) -> None:
    folder.tell(id="x", published_at=published_at, text="t", symbols=["AAA"])
    assert load_raw("files").reasons == []


def test_the_last_of_all_times_is_no_time(folder: Any, load_raw: Any) -> None:
    folder.tell(id="x", published_at="9999-12-31T23:59:59-05:00", text="t", symbols=["AAA"])
    [reason] = load_raw("files").reasons
    assert reason.startswith("not a time with its zone: 9999")


def test_a_folder_of_refused_rows_says_which_and_why(folder: Any, now: Any) -> None:
    lines = ["symbol,session,open,high,low,close,volume", "AAA,05/07/2024,1,2,1,1,5"]
    (folder.path / "bars.csv").write_text("\n".join(lines))
    with pytest.raises(SourceError, match=r"bars.csv line 2: session is not a date: 05/07/2024"):
        SOURCES.get("files").extent(universe(), settings(), now)


def test_a_column_called_date_is_the_session(folder: Any, load_raw: Any) -> None:
    path = folder.path / "bars.csv"
    path.write_text(path.read_text().replace("session", "Date", 1))
    assert load_raw("files").reasons == []


def test_a_texts_entities_and_ends_of_lines_are_resolved(folder: Any, load_raw: Any) -> None:
    folder.tell(id="x", published_at="2024-07-05T14:00:00Z", text="A&amp;B\n up", symbols=[])
    assert "A&B up" in {row["text"] for row in load_raw("files").good["headlines"]}


def test_parquet_of_odd_types_is_refused_row_by_row(folder: Any, load_raw: Any) -> None:
    frame = {"symbol": ["AAA", "BBB"], "session": [date(2024, 7, 9)] * 2, "open": ["1", "1"]}
    frame |= {"high": [2, 2], "low": [1.0, 1.0], "close": [1, 1], "volume": [[1], None]}
    (folder.path / "bars").mkdir()
    pl.DataFrame(frame).write_parquet(folder.path / "bars" / "odd.parquet")
    reasons = load_raw("files").reasons
    assert [reason.split(":")[0] for reason in reasons] == [
        "volume is missing", "volume is not a number",
    ]  # fmt: skip
    assert json.dumps(reasons)
