"""The source `nasdaq` with the real client code against a local server, and what it is not told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest

from contracts.settings import settings
from contracts.store import Provenance, Store
from contracts.tables import HEADLINE_SYMBOLS, HEADLINES, INSTRUMENTS
from etl.batch import Batch
from etl.clean import clean
from etl.gate import check
from etl.load import append, collect
from etl.redrive import Choice, redrive
from etl.source import SOURCES, Cause, Request, SourceError
from etl.web import nasdaq as client
from etl.web import patience
from etl.web.rss import NotRss, items

NOW = datetime(2026, 7, 2, 21, tzinfo=UTC)
DAY = date(2026, 7, 1)
Answers = Callable[[str], tuple[int, str]]
Serve = Callable[[Answers], AbstractContextManager[list[str]]]

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:nasdaq="http://nasdaq.com/reference/feeds/1.0"><channel><title>{symbol}</title>"""
ITEM = """<item><title>{title}</title>
<link>https://www.nasdaq.com/articles/{slug}</link>
<description>


Key PointsThe text of the article.

</description><pubDate>{at}</pubDate>
<guid isPermaLink="true">https://www.nasdaq.com/articles/{slug}?time={slug}</guid>
<dc:creator>Zacks</dc:creator><category>Stocks</category>
<nasdaq:tickers>{tickers}</nasdaq:tickers></item>"""


def item(slug: int, tickers: str, at: str = "Wed, 01 Jul 2026 14:30:00 +0000", **cells: str) -> str:
    """An item as feeds have it."""
    title = cells.get("title", f"News {slug} &amp; more")
    return ITEM.format(slug=slug, tickers=tickers, at=at, title=title)


def feed(symbol: str, *told: str) -> str:
    """A feed as Nasdaq serves it."""
    return HEAD.format(symbol=symbol) + "".join(told) + "</channel></rss>"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Point the client at a local server that answers each symbol."""

    @contextmanager
    def served(answers: Answers) -> Iterator[list[str]]:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                [symbol] = parse_qs(urlsplit(self.path).query)["symbol"]
                asked.append(symbol)
                status, body = answers(symbol)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setattr(client, "URL", f"http://127.0.0.1:{server.server_port}/feed")
        try:
            yield asked
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    monkeypatch.setattr(patience, "PAUSE", 0.01)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return served


def delivered(symbols: str = "AAPL", first: date = DAY) -> dict[str, list[dict[str, Any]]]:
    given = settings().model_copy(update={"symbols": symbols})
    frames: dict[str, list[pa.Table]] = {}
    for table, frame in SOURCES.get("nasdaq").frames(Request("nasdaq", first, DAY, NOW, given)):
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
