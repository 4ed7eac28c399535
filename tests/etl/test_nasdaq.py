"""The source `nasdaq` with the real client code against a local server, and what it is not told."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from nasdaq_server import Serve, feed, item

from contracts.settings import settings
from contracts.store import Provenance, Store
from contracts.tables import HEADLINE_SYMBOLS, HEADLINES, INSTRUMENTS
from contracts.universe import universe
from etl.batch.batch import Batch
from etl.load import append, collect
from etl.quality.clean import clean
from etl.quality.gate import check
from etl.quality.redrive import Choice, redrive
from etl.source import SOURCES, Cause, Request, SourceError
from etl.web import nasdaq as client
from etl.web import patience
from etl.web.rss import NotRss, items

NOW = datetime(2026, 7, 2, 21, tzinfo=UTC)
DAY = date(2026, 7, 1)


@pytest.fixture
def serve(feeds: Serve) -> Serve:
    return feeds


def delivered(symbols: str = "AAPL", first: date = DAY) -> dict[str, list[dict[str, Any]]]:
    given = settings().model_copy(update={"symbols": symbols})
    frames: dict[str, list[pa.Table]] = {}
    for table, frame in SOURCES.get("nasdaq").frames(
        Request(universe("nasdaq", given), first, DAY, NOW, given)
    ):
        frames.setdefault(table, []).append(frame)
    return {table: pa.concat_tables(parts).to_pylist() for table, parts in frames.items()}


def test_items_that_name_the_symbol_become_headlines(serve: Serve) -> None:
    feeds = {
        "AAPL": feed("AAPL", item(1, "AAPL,MSFT,AAPL"), item(2, "XOM"), item(3, "aapl")),
        "MSFT": feed("MSFT", item(1, "AAPL,MSFT,AAPL"), item(4, "")),
    }
    with serve(lambda symbol: (200, feeds[symbol])) as asked:
        found = delivered("AAPL,MSFT")
    assert asked == ["AAPL", "MSFT"]
    one, three = found["headlines"]
    assert one["native_id"] == "https://www.nasdaq.com/articles/1" == one["url"]
    assert one["text"] == "News 1 & more" and three["native_id"].endswith("/3")
    assert one["event_time"] == one["known_at"] == datetime(2026, 7, 1, 14, 30, tzinfo=UTC)
    mentions = [(row["native_id"][-1], row["instrument_id"]) for row in found["headline_symbols"]]
    assert mentions == [("1", "AAPL"), ("3", "AAPL"), ("1", "MSFT")]


def test_only_what_was_known_by_the_close_is_of_the_session(serve: Serve) -> None:
    times = {
        1: "Tue, 30 Jun 2026 19:59:00 +0000",
        2: "Tue, 30 Jun 2026 20:01:00 +0000",
        3: "Wed, 01 Jul 2026 16:00:00 -0400",
        4: "Wed, 01 Jul 2026 20:00:01 +0000",
    }
    body = feed("AAPL", *(item(slug, "AAPL", at) for slug, at in times.items()))
    with serve(lambda _: (200, body)):
        found = delivered()
    assert [row["native_id"][-1] for row in found["headlines"]] == ["2", "3"]


@pytest.mark.parametrize(
    ("at", "fault"),
    [
        ("", "headline without time"),
        ("yesterday", "not a time with its zone: yesterday"),
        ("Wed, 01 Jul 2026 14:30:00", "not a time with its zone: Wed, 01 Jul 2026 14:30:00"),
    ],
)
def test_an_item_without_time_is_refused(serve: Serve, at: str, fault: str) -> None:
    with serve(lambda _: (200, feed("AAPL", item(1, "AAPL", at), item(2, "AAPL")))):
        found = delivered()
    assert [row["fault"] for row in found["headlines"]] == [fault, None]
    assert len(found["headline_symbols"]) == 1


BOMB = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<rss><channel><item><title>&c;</title></item></channel></rss>"""


@pytest.mark.parametrize(
    ("reply", "cause", "asks"),
    [
        ((429, "slow down"), Cause.THROTTLED, patience.ATTEMPTS),
        ((403, "no"), Cause.THROTTLED, patience.ATTEMPTS),
        ((200, "\n<!DOCTYPE html><html>Access denied</html>"), Cause.THROTTLED, patience.ATTEMPTS),
        ((503, ""), Cause.UNREACHABLE, patience.ATTEMPTS),
        ((200, feed("AAPL", item(1, "AAPL"))[:-40]), Cause.UNREACHABLE, patience.ATTEMPTS),
        ((200, ""), Cause.UNREACHABLE, patience.ATTEMPTS),
        ((200, BOMB), Cause.UNREACHABLE, patience.ATTEMPTS),
        ((404, ""), Cause.UNKNOWN, 1),
        ((200, feed("AAPL")), Cause.EMPTY, 1),
        ((200, feed("AAPL", item(1, "XOM"))), Cause.EMPTY, 1),
    ],
    ids=["429", "403", "html", "503", "cut", "nothing", "bomb", "404", "empty", "padded"],
)
def test_failures_are_named_and_what_may_pass_is_asked_again(
    serve: Serve, reply: tuple[int, str], cause: Cause, asks: int
) -> None:
    with serve(lambda _: reply) as asked:
        with pytest.raises(SourceError) as raised:
            delivered()
    assert raised.value.cause is cause
    assert len(asked) == asks


@pytest.mark.troubleshooting("unreachable: ... does not answer")
def test_a_server_that_does_not_answer_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE", 0.01)
    monkeypatch.setattr(client, "URL", "http://127.0.0.1:9/feed")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(SourceError, match="unreachable: Nasdaq does not answer on AAPL"):
        delivered()


@pytest.mark.parametrize(
    "text",
    [BOMB, BOMB.replace("<!ENTITY", '<!ENTITY x SYSTEM "file:///etc/passwd"> <!ENTITY', 1)],
    ids=["bomb", "external"],
)
def test_a_declared_entity_is_never_expanded(text: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(NotRss, match="document type is declared"):
            items(text.replace("1.0", f'1.0" encoding="{encoding}', 1).encode(encoding))


def test_another_document_is_no_feed() -> None:
    with pytest.raises(NotRss, match="found <feed>"):
        items(b"<feed><entry/></feed>")


@pytest.mark.integration
def test_headlines_load_for_instruments_that_are_known(
    store: Store, serve: Serve, tmp_path: Path
) -> None:
    def known(symbol: str) -> None:
        row = {"instrument_id": symbol, "name": symbol, "calendar": "XNYS", "currency": "USD"}
        row |= {"asset_class": "equity", "known_at": datetime(2020, 1, 1, tzinfo=UTC)}  # type: ignore[dict-item]
        frame = pa.Table.from_pylist([row], schema=INSTRUMENTS.schema)
        store.append(INSTRUMENTS, frame, Provenance("append", "yahoo", "real"), NOW)

    known("AAPL")
    batch = Batch("nasdaq", "nasdaq", DAY, DAY)
    given = settings().model_copy(update={"symbols": "AAPL,MSFT"})
    body = feed("both", item(1, "AAPL,MSFT"), item(2, "MSFT"))
    with serve(lambda _: (200, body)):
        for _ in range(2):
            collect(batch, given, NOW)
            clean(store, batch)
            check(store, batch, tmp_path)
            append(store, batch)
    snapshot = store.snapshot()
    assert store.read(HEADLINES, NOW, snapshot).num_rows == 2
    assert store.read(HEADLINE_SYMBOLS, NOW, snapshot)["instrument_id"].to_pylist() == ["AAPL"]
    known("MSFT")
    done = redrive(store, Choice("headline_symbols"), {}, NOW)
    assert done["headline_symbols"].added == 2


def test_one_bare_ampersand_costs_nothing_and_a_broken_item_itself(serve: Serve) -> None:
    broken = item(2, "AAPL", title="a < b")
    feeds = {
        "AAPL": feed("AAPL", item(1, "AAPL", title="R & D&nbsp;grows"), broken, item(3, "AAPL")),
        "MSFT": feed("MSFT", item(4, "MSFT")),
    }
    with serve(lambda symbol: (200, feeds[symbol])):
        found = delivered("AAPL,MSFT")
    assert [row["text"] for row in found["headlines"]] == [
        "R & D grows", None, "News 3 & more", "News 4 & more",
    ]  # fmt: skip
    assert "no well-formed XML" in found["headlines"][1]["fault"]


def test_markup_in_a_title_is_no_end_of_it(serve: Serve) -> None:
    titles = ("<b>Apple</b> beats <i>all</i>", "&lt;b&gt;Apple&lt;/b&gt; &amp;amp; others")
    body = feed("AAPL", *(item(i, "AAPL", title=title) for i, title in enumerate(titles)))
    with serve(lambda _: (200, body)):
        found = delivered()
    assert [row["text"] for row in found["headlines"]] == ["Apple beats all", "Apple & others"]


@pytest.mark.parametrize("encoding", ["gb2312", "gbk", "big5", "shift_jis", "utf-16", "cp1252"])
def test_a_feed_in_another_encoding_is_read(serve: Serve, encoding: str) -> None:
    title = "caf\u00e9" if encoding == "cp1252" else "\u4e2d\u6587"
    text = feed("AAPL", item(1, "AAPL", title=title)).replace('"utf-8"', f'"{encoding}"')
    with serve(lambda _: (200, text.encode(encoding))):
        found = delivered()
    assert [row["text"] for row in found["headlines"]] == [title]


@pytest.mark.parametrize(
    ("zone", "hour"), [("-0000", 14), ("CET", 13), ("GMT", 14), ("BST", None), ("IST", None)]
)
def test_a_zone_is_read_where_it_names_one_offset(
    serve: Serve, zone: str, hour: int | None
) -> None:
    at = f"Wed, 01 Jul 2026 14:30:00 {zone}"
    with serve(lambda _: (200, feed("AAPL", item(1, "AAPL", at), item(2, "AAPL")))):
        [found, _] = delivered()["headlines"]
    if hour is None:
        assert f"{zone} is not one zone" in found["fault"]
    else:
        assert found["event_time"] == datetime(2026, 7, 1, hour, 30, tzinfo=UTC)


def test_one_symbol_whose_feed_cannot_be_read_costs_itself(serve: Serve) -> None:
    feeds = {"ODD": BOMB, "AAPL": feed("AAPL", item(1, "AAPL"))}
    with serve(lambda symbol: (200, feeds[symbol])):
        assert len(delivered("ODD,AAPL")["headlines"]) == 1


def test_what_was_not_asked_for_is_counted(serve: Serve) -> None:
    late = item(3, "AAPL", "Thu, 02 Jul 2026 14:30:00 +0000")
    body = feed("AAPL", item(1, "AAPL"), item(1, "AAPL"), item(2, "XOM"), late)
    given = settings().model_copy(update={"symbols": "AAPL"})
    request = Request(universe("nasdaq", given), DAY, DAY, NOW, given)
    with serve(lambda _: (200, body)):
        list(SOURCES.get("nasdaq").frames(request))
    account = request.account
    assert (account.read["headlines"], account.delivered["headlines"]) == (4, 1)
    reasons = sorted(reason for _, reason in account.outside)
    assert [reason.split(" ")[0] for reason in reasons] == ["not", "published", "told"]
