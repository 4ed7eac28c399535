"""What holds for every source, whatever the world sends: rows or named faults, all accounted for.

A source of real facts is listed in `TRANSPORTS` with a way to put arbitrary content where it reads.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as shapes
from hypothesis import strategies as st
from nasdaq_server import feed, item
from yahoo_server import chart, news_item

from contracts.settings import Settings, settings
from contracts.universe import universe
from etl.account import AccountError
from etl.batch import staging
from etl.batch.batch import Batch, Manifest, manifest
from etl.load import collect
from etl.quality.clean import judged
from etl.source import SOURCES, Request, SourceError, source
from etl.web import patience

NOW = datetime(2024, 7, 9, 12, tzinfo=UTC)
FIRST, LAST = date(2024, 7, 1), date(2024, 7, 8)
SHAPES = shapes(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CELL = st.text(max_size=12) | st.sampled_from(
    ["", "AAPL", "2024-07-02", "2204-07-02", "20240702", "1,250.00", "12,345", "nan", "-", "0", '"',
     'a"b', "a\x00b", "\ufeff", "\u00a0", "9" * 2000, "1e999", "2024-07-02T14:00:00Z", "&amp;",
     "9999-12-31T23:59:59-05:00", "\ud800", "a\nb", "a,b"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | CELL,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELL, inner, max_size=3),
    max_leaves=6,
)


def plain(text: str) -> str:
    """The text as UTF-8 can hold it."""
    return text.encode("utf-8", "replace").decode()


def told(value: Any) -> Iterator[str]:
    """All texts inside a JSON value."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from told(each)
    elif isinstance(value, str):
        yield value


def loaded(name: str, given_: Settings) -> Manifest:
    """Collect and judge a batch; what is refused fits the ledger. SourceError is an answer too."""
    batch = Batch(name, "test", FIRST, LAST)
    collect(batch, given_, NOW)
    held = manifest(batch)
    for _, good, refused in judged(held):
        good.to_pylist()
        for row in refused.to_pylist():
            assert row.pop("reason")
            assert "\x00" not in "".join(told(json.loads(staging._canonical(row))))
    return held


def balanced(held: Manifest) -> None:
    """Each row that was read is delivered, refused or left out, and the manifest says it."""
    account = held.account
    for table, read in account["read"].items():
        left = sum(e["count"] for part in ("refused", "outside") for e in account[part]
                   if e["table"] == table)  # fmt: skip
        assert read == account["delivered"].get(table, 0) + left


@pytest.fixture
def given_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings under which every source has somebody to ask for."""
    monkeypatch.setattr(patience, "PAUSE", 0.0)
    folder = tmp_path / "facts"
    (folder / "bars").mkdir(parents=True)
    sound = "date,open,high,low,close,volume\n2024-07-02,10,12,9,11,900\n"
    (folder / "bars" / "SOUND.csv").write_text(sound)
    return settings().model_copy(update={"data": folder, "symbols": "AAPL,MSFT"})


Put = Callable[[list[list[str]], list[Any]], int]


@contextmanager
def in_a_folder(request: pytest.FixtureRequest, given_: Settings) -> Iterator[Put]:
    """Rows of cells become a CSV of bars, JSON lines become headlines."""
    folder = given_.data
    assert folder is not None
    head = "symbol,session,open,high,low,close,volume,known_at"

    def put(rows: list[list[str]], values: list[Any]) -> int:
        lines = [",".join(map(plain, row)).replace("\n", " ") for row in rows]
        lines = [line for line in lines if line.strip()]
        (folder / "bars" / "odd.csv").write_text("\n".join([head, *lines]), newline="")
        items = [json.dumps(value) for value in values]
        (folder / "headlines.jsonl").write_text("\n".join(items))
        return len(items)

    yield put


@contextmanager
def in_feeds(request: pytest.FixtureRequest, given_: Settings) -> Iterator[Put]:
    """Cells become the titles, times and tickers of items, raw as they are."""
    box = [""]
    with request.getfixturevalue("feeds")(lambda _: (200, box[0])):

        def put(rows: list[list[str]], values: list[Any]) -> int:
            odd = [item(i, "AAPL", plain(row[-1]), title=plain("".join(row)))
                   for i, row in enumerate(rows)]  # fmt: skip
            box[0] = feed("AAPL", item(99, "AAPL", "Tue, 02 Jul 2024 14:30:00 GMT"), *odd)
            return 0

        yield put


@contextmanager
def in_answers(request: pytest.FixtureRequest, given_: Settings) -> Iterator[Put]:
    """Values become the news, and in every second answer the prices, of Yahoo."""
    sound = chart("AAPL", [(datetime(2024, 7, 2, 13, 30, tzinfo=UTC), 10.0, 9.0)], {})
    box: list[Any] = [[]]

    def answers(path: str) -> tuple[int, str]:
        if "search" in path:
            return 200, json.dumps({"news": box[0]})
        if "MSFT" in path:
            return 200, json.dumps({"chart": {"result": box[0], "error": None}})
        return 200, sound

    with request.getfixturevalue("serve")(answers):

        def put(rows: list[list[str]], values: list[Any]) -> int:
            named = [news_item(i, v, title=row[0], uuid=row[-1])
                     for i, (row, v) in enumerate(zip(rows, values, strict=False))]  # fmt: skip
            box[0] = [*values, *named]
            return len(box[0])

        yield put


TRANSPORTS = {"files": in_a_folder, "nasdaq": in_feeds, "yahoo": in_answers}


def test_every_source_of_real_facts_is_put_to_the_test() -> None:
    real = {name for name in SOURCES.names() if SOURCES.get(name).origin == "real"}
    untested, gone = real - set(TRANSPORTS), set(TRANSPORTS) - real
    assert not untested, f"say in TRANSPORTS how {untested} are asked"
    assert not gone, f"TRANSPORTS names what no source of real facts is: {gone}"


@pytest.mark.parametrize("name", TRANSPORTS)
def test_anything_gives_rows_or_named_faults_and_is_accounted_for(
    name: str, given_: Settings, request: pytest.FixtureRequest
) -> None:
    rows = st.lists(st.lists(CELL, min_size=1, max_size=9), max_size=4)
    with TRANSPORTS[name](request, given_) as put:

        @SHAPES
        @given(rows, st.lists(JSON, max_size=4))
        def anything(cells: list[list[str]], values: list[Any]) -> None:
            count = put(cells, values)
            try:
                held = loaded(name, given_)
            except SourceError as error:
                assert str(error)
                return
            balanced(held)
            assert held.account["read"].get("headlines", 0) >= count

        anything()


@pytest.mark.parametrize("name", ["files", "nasdaq"])
def test_any_bytes_give_rows_or_named_faults(
    name: str, given_: Settings, request: pytest.FixtureRequest
) -> None:
    assert given_.data is not None
    box = [b""]
    with ExitStack() as stack:
        stack.enter_context(request.getfixturevalue("feeds")(lambda _: (200, box[0])))
        files = [given_.data / part for part in ("bars/x.csv", "bars/y.parquet", "headlines.jsonl",
                 "headlines/z.csv.gz", "instruments.csv", "odd.csv")]  # fmt: skip
        files[3].parent.mkdir()

        @SHAPES
        @given(st.binary(max_size=80), st.sampled_from([b"", b"symbol,session,open\n", b"<rss>"]))
        def anything(content: bytes, before: bytes) -> None:
            box[0] = before + content
            for file in files:
                file.write_bytes(before + content)
            try:
                balanced(loaded(name, given_))
            except SourceError as error:
                assert str(error)

        anything()


def test_a_source_that_loses_a_row_is_told_so(given_: Settings) -> None:
    declare: Any = source("loses", origin="real", tables=("bars",), extent=lambda *_: (FIRST, LAST))

    def deliver(asked: Request) -> Any:
        asked.account.read["bars"] += 1
        yield from ()

    try:
        declare(deliver)
        with pytest.raises(AccountError, match="read 1 rows of bars and accounts for 0"):
            list(
                SOURCES.get("loses").frames(
                    Request(universe("test", given_), FIRST, LAST, NOW, given_)
                )
            )
    finally:
        SOURCES._members.pop("loses")
