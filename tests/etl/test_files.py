"""The source `files`: whatever a folder holds, the sound rows load and the others say why not."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from contracts.settings import settings
from etl.source import SourceError

SOUND = 10  # bars of the sound folder


def test_a_sound_folder_loads_whole(folder: Any, load_raw: Any) -> None:
    found = load_raw("files")
    assert found.reasons == []
    assert {name: len(rows) for name, rows in found.good.items()} == {
        "bars": SOUND,
        "instruments": 2,
        "symbols": 2,
        "memberships": 2,
        "actions": 1,
        "headlines": 3,
        "headline_symbols": 3,
    }
    early_close = next(bar for bar in found.good["bars"] if bar["session"] == date(2024, 7, 3))
    assert early_close["event_time"] == datetime(2024, 7, 3, 17, tzinfo=UTC)
    assert early_close["known_at"] == early_close["event_time"]
    [action] = found.good["actions"]
    assert (action["value"], action["known_at"]) == (0.25, datetime(2024, 7, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("AAA,2024-07-05,1,2,1,-1,5", "price is not positive"),
        ("AAA,2024-07-05,1,2,,1,5", "price is missing"),
        ("AAA,2024-07-05,1,NaN,1,1,5", "price is missing"),
        ("AAA,2024-07-05,1,inf,1,1,5", "price is not finite"),
        ("AAA,2024-07-05,1,1,2,1,5", "high is below low"),
        ("AAA,2024-07-05,3,2,1,1,5", "high is below open or close"),
        ("AAA,2024-07-05,3,4,2,1,5", "low is above open or close"),
        ("AAA,2024-07-05,1,2,1,1,-5", "volume is negative or not finite"),
        ("AAA,2024-07-05,1,2,1,1", "6 cells where the header has 7"),
        ("AAA,2024-07-05,one,2,1,1,5", "open is not a number: one"),
        ("AAA,2024-07-32,1,2,1,1,5", "session is not a date: 2024-07-32"),
        ("AAA,2024-07-04,1,2,1,1,5", "date is no session of the calendar"),
        ("AAA,2024-07-01,10.0,12.0,9.0,10.0,900", "repeats an earlier row"),
        ("AAA,2024-07-01,10,12,9,10.5,900", "differs from an earlier row of the same key"),
        (",2024-07-05,1,2,1,1,5", "symbol is missing"),
        (b"A\xff\xfe,2024-07-05,1,2,1,1,5", "text is not UTF-8"),
        ('"AAA,2024-07-05,1,2,1,1,five', "a quote is not closed, or text follows one"),
    ],
)
def test_a_bad_bar_is_refused_with_its_reason(
    folder: Any, load_raw: Any, line: str | bytes, reason: str
) -> None:
    folder.add("bars.csv", line)
    found = load_raw("files")
    assert found.reasons == [reason]
    assert len(found.good["bars"]) == SOUND


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ZZZ,2024-07-05,split,2", "unknown symbol"),
        ("AAA,2024-07-05,merger,2", "kind is neither split nor dividend"),
        ("AAA,2024-07-05,split,0", "value is not a positive number"),
    ],
)
def test_a_bad_action_is_refused_with_its_reason(
    folder: Any, load_raw: Any, line: str, reason: str
) -> None:
    folder.add("actions.csv", line)
    assert load_raw("files").reasons == [reason]


TOLD = {"id": "x", "published_at": "2024-07-05T14:00:00Z", "text": "t", "symbols": ["AAA"]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"published_at": None}, "headline without time"),
        ({"published_at": "2024-07-05T14:00:00"}, "not a time with its zone: 2024-07-05T14:00:00"),
        ({"published_at": "yesterday"}, "not a time with its zone: yesterday"),
        ({"text": "  "}, "text is missing"),
        ({"text": None}, "text is missing"),
        ({"text": "a\x00b"}, "text holds a null character"),
        ({"id": None}, "id is missing"),
        ({"symbols": ["ZZZ"]}, "unknown symbol"),
        ({"symbols": "AAA"}, "symbols is not a list of texts"),
        ({"known_at": "2024-07-05T13:00:00Z"}, "known before it happened"),
        (
            {"id": "a", "published_at": "2024-07-01T14:00:00Z"},
            "differs from an earlier row of the same key",
        ),
    ],
)
def test_a_bad_headline_is_refused_and_its_mentions_with_it(
    folder: Any, load_raw: Any, change: dict[str, Any], reason: str
) -> None:
    folder.tell(**TOLD | change)
    found = load_raw("files")
    assert [row["reason"] for row in found.refused["headlines"]] == [reason]
    assert "x" not in {row["native_id"] for row in found.good["headline_symbols"]}
    assert len(found.good["headlines"]) == 3


def test_a_forming_bar_is_refused(folder: Any, load_raw: Any) -> None:
    folder.add("bars.csv", "AAA,2026-01-02,1,2,1,1,5")
    found = load_raw("files", last=date(2026, 1, 2))
    assert found.reasons == ["bar is still forming"]


def test_one_id_with_two_texts_is_refused(folder: Any, load_raw: Any) -> None:
    folder.tell(**TOLD)
    folder.tell(**TOLD | {"text": "other"})
    found = load_raw("files")
    assert [row["reason"] for row in found.refused["headlines"]] == [
        "differs from an earlier row of the same key"
    ]
    assert [row["text"] for row in found.good["headlines"] if row["native_id"] == "x"] == ["t"]


def test_one_unknown_symbol_among_known_ones_is_refused_alone(folder: Any, load_raw: Any) -> None:
    folder.tell(**TOLD | {"symbols": ["AAA", "ZZZ"]})
    found = load_raw("files")
    assert found.reasons == ["unknown symbol"]
    assert len(found.good["headlines"]) == 4


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{not json", "line is not JSON"),
        (b'{"id": "\xff"}', "text is not UTF-8"),
        ("[1, 2]", "line is no JSON object"),
    ],
)
def test_a_bad_line_is_refused(folder: Any, load_raw: Any, line: str | bytes, reason: str) -> None:
    folder.add("headlines.jsonl", line)
    [found] = load_raw("files").reasons
    assert found.startswith(reason)


def test_lines_of_a_hundred_megabytes_are_refused_unread(folder: Any, load_raw: Any) -> None:
    folder.add("headlines.jsonl", b'{"id": "' + b"x" * 100_000_000 + b'"}')
    folder.add("bars.csv", b"AAA,2024-07-05,1,2,1,1," + b"9" * 100_000_000)
    folder.tell(**TOLD)
    found = load_raw("files")
    assert [reason.split(":")[0] for reason in found.reasons] == [
        "line is longer than 1048576 bytes",
        "line is longer than 1048576 bytes",
    ]
    assert len(found.good["headlines"]) == 4
    for rows in found.refused.values():
        assert all(len(row["raw"] or "") < 2000 for row in rows)


def test_parquet_says_the_same_as_text(folder: Any, load_raw: Any) -> None:
    before = load_raw("files")
    typed = pl.read_csv(folder.path / "bars.csv", try_parse_dates=True)
    (folder.path / "bars").mkdir()
    typed.head(4).write_parquet(folder.path / "bars" / "1.parquet")
    typed.tail(-4).write_csv(folder.path / "bars" / "2.csv")
    lines = (folder.path / "headlines.jsonl").read_text().splitlines()
    pl.DataFrame([json.loads(line) for line in lines]).write_parquet(
        folder.path / "headlines.parquet"
    )
    (folder.path / "bars.csv").unlink()
    (folder.path / "headlines.jsonl").unlink()
    assert load_raw("files").good == before.good


def test_minute_bars_find_their_session(folder: Any, load_raw: Any) -> None:
    head = "symbol,event_time,interval,open,high,low,close,volume"
    times = ("2024-07-05T13:31:00Z", "2024-07-05T20:00:00Z", "2024-07-05T21:00:00Z")
    folder.path.joinpath("bars").mkdir()
    folder.add("bars/m.csv", head, *(f"AAA,{at},1m,1,1,1,1,5" for at in times))
    found = load_raw("files")
    minutes = [bar for bar in found.good["bars"] if bar["interval"] == "1m"]
    assert [bar["session"] for bar in minutes] == [date(2024, 7, 5)] * 2
    assert minutes[0]["start_time"] == datetime(2024, 7, 5, 13, 30, tzinfo=UTC)
    assert found.reasons == ["time lies outside the session"]


def test_instruments_may_name_their_calendar_and_sector(folder: Any, load_raw: Any) -> None:
    lines = ("BBB,Bee,XNSE,INR,Energy", "CCC,See,,,Health")
    folder.add("instruments.csv", "symbol,name,calendar,currency,sector", *lines)
    found = load_raw("files")
    named = {row["instrument_id"]: row for row in found.good["instruments"]}
    assert named["BBB"]["name"] == "Bee" and named["BBB"]["currency"] == "INR"
    assert named["AAA"]["calendar"] == "XNYS" and "CCC" not in named
    closes = {bar["event_time"].hour for bar in found.good["bars"] if bar["instrument_id"] == "BBB"}
    assert closes == {10}
    member = {(row["instrument_id"], row["universe"]) for row in found.good["memberships"]}
    assert member == {("AAA", "test"), ("BBB", "test"), ("BBB", "sector:Energy")}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: (path / "bars.csv").unlink(), "empty: .* holds no bars, found"),
        (lambda path: (path / "bars.csv").write_text(""), "cannot be read: it is empty"),
        (lambda path: (path / "bars.csv").write_text("symbol,open\n"), "lacks the columns"),
        (lambda path: (path / "bars.parquet").write_text("x"), "cannot be read"),
    ],
    ids=["no bars", "empty file", "no columns", "no parquet"],
)
def test_a_folder_that_cannot_be_used_says_what_was_expected(
    folder: Any, load_raw: Any, spoil: Any, message: str
) -> None:
    spoil(folder.path)
    with pytest.raises(SourceError, match=message):
        load_raw("files")


def test_a_missing_folder_is_named(
    load_raw: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match="FINPULSE_DATA is unset"):
        load_raw("files")
    monkeypatch.setenv("FINPULSE_DATA", str(tmp_path / "none"))
    settings.cache_clear()
    with pytest.raises(SourceError, match=r"unreachable: .*none is no folder"):
        load_raw("files")
