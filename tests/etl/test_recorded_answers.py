"""The source `yahoo` on answers made by us, and on recorded ones where they are at hand."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from yahoo_server import NOW, OURS, Serve, answers_of, recorded

from contracts.settings import settings
from contracts.universe import universe
from etl.source import SOURCES, Cause, Request, SourceError

NO_NEWS = (200, '{"news": []}')


@dataclass(frozen=True)
class Told:
    """What a folder of answers tells of, beside what all of them do."""

    first_close: float
    dividend: float
    name: str
    news: frozenset[str]
    tickers: int


RECORDED = Told(
    129.04, 0.205, "Apple Inc.", frozenset({"57ea9c09", "bfb8b663", "76679f48", "3ecdf3fa"}), 3
)
MADE = Told(100.0, 0.5, "Made Up Inc.", frozenset({"00000000"}), 3)


@pytest.fixture(params=answers_of(), ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    """Each folder of answers that is at hand."""
    return Path(request.param)


def request(first: date, last: date, now: datetime = NOW) -> Request:
    given = settings().model_copy(update={"symbols": "AAPL"})
    return Request(universe("yahoo", given), first, last, now, given)


def delivered(asked: Request) -> dict[str, list[dict[str, Any]]]:
    frames: dict[str, list[pa.Table]] = {}
    for table, frame in SOURCES.get("yahoo").frames(asked):
        frames.setdefault(table, []).append(frame)
    return {table: pa.concat_tables(parts).to_pylist() for table, parts in frames.items()}


def test_recorded_bars_actions_and_news_become_facts(serve: Serve, folder: Path) -> None:
    about = MADE if folder == OURS else RECORDED
    prices = recorded(folder, "chart-AAPL-2020-08-31-to-2020-11-07.json")
    news = recorded(folder, "search-AAPL.json")

    def answers(path: str) -> tuple[int, str]:
        return 200, news if "search" in path else prices

    with serve(answers):
        found = delivered(request(date(2020, 8, 31), date(2020, 11, 6)))
        later = request(
            date(2025, 2, 24), date(2025, 2, 25), now=datetime(2025, 2, 25, 22, tzinfo=UTC)
        )
        told = delivered(later)
    first = found["bars"][0]
    assert len(found["bars"]) == 49
    assert (first["session"], first["close"]) == (date(2020, 8, 31), about.first_close)
    assert first["event_time"] == first["known_at"] == datetime(2020, 8, 31, 20, tzinfo=UTC)
    actions = {(a["ex_date"], a["kind"]): a["value"] for a in found["actions"]}
    assert actions == {
        (date(2020, 8, 31), "split"): 4.0,
        (date(2020, 11, 6), "dividend"): about.dividend,
    }
    assert [row["name"] for row in found["instruments"]] == [about.name]
    assert found["headlines"] == []
    # Four items, of which one names another company; what appeared after the close comes later.
    assert len(told["headlines"]) == 4
    assert {row["native_id"][:8] for row in told["headlines"]} == about.news
    assert len(told["headline_symbols"]) == about.tickers


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        # A closed market: no time, no price.
        (
            "chart-AAPL-2025-02-01-to-2025-02-02-includePrePost-false-interval-1m.json",
            Cause.EMPTY,
        ),
        ("chart-TSLA-2025-01-01-to-2025-01-02-interval-1h.fake.json", Cause.EMPTY),
        # Prices without times.
        ("chart-notimestamp-quotes-length.fake.json", Cause.UNREACHABLE),
        ("chart-notimestamp-weird-quote.fake.json", Cause.UNREACHABLE),
    ],
)
def test_recorded_answers_without_bars_are_named(
    serve: Serve, folder: Path, name: str, cause: Cause
) -> None:
    body = recorded(folder, name)
    with serve(lambda path: NO_NEWS if "search" in path else (200, body)):
        with pytest.raises(SourceError) as raised:
            delivered(request(date(2020, 11, 2), date(2020, 11, 6)))
    assert raised.value.cause is cause


def test_recorded_news_of_a_wrong_shape_are_refused(serve: Serve, folder: Path) -> None:
    news, day = (
        recorded(folder, "search-badResult.fake.json"),
        recorded(folder, "chart-AAPL-2020-01-01-to-2020-01-03.json"),
    )
    with serve(lambda path: (200, news if "search" in path else day)):
        found = delivered(request(date(2020, 1, 2), date(2020, 1, 2)))
    assert [row["fault"] for row in found["headlines"]] == ["text is missing"]
    assert len(found["bars"]) == 1
