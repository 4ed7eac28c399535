"""Asking Yahoo Finance through yfinance, with each failure named by its cause."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from etl.source import Cause, SourceError

_NEWS = 50
_COLUMNS = {
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Volume": "volume",
    "Dividends": "dividend",
    "Stock Splits": "split",
}
_ABOUT = (
    "symbol",
    "longName",
    "shortName",
    "currency",
    "exchangeName",
    "instrumentType",
)


@dataclass(frozen=True)
class Answer:
    """What Yahoo says of one symbol.

    began: the first day of its trading, where Yahoo tells. about: its metadata, absent values
    None. days: columns session, open, high, low, close, volume, dividend, split (0 for none),
    prices and dividends divided by all splits up to the moment of asking.
    """

    symbol: str
    began: date | None
    about: dict[str, Any]
    days: pl.DataFrame


def configure(cache: Path) -> None:
    """Let yfinance raise what happens, and keep its cache in that folder."""
    import yfinance

    cache.mkdir(parents=True, exist_ok=True)
    yfinance.config.debug.hide_exceptions = False
    yfinance.set_tz_cache_location(str(cache))


def history(symbol: str, first: date, now: datetime) -> Answer:
    """All daily rows from `first` to the day of `now`; raises SourceError with its cause."""
    import yfinance

    with _named(symbol):
        ticker = yfinance.Ticker(symbol)
        frame = ticker.history(
            start=first, end=now.date() + timedelta(days=1), auto_adjust=False, keepna=True
        )
        # Each key by name: the whole of it would be another, intraday, question.
        about = {key: ticker.history_metadata.get(key) for key in _ABOUT}
        began = ticker.history_metadata.get("firstTradeDate")
    called = about["symbol"] or symbol
    if called != symbol:
        raise SourceError(Cause.RENAMED, f"{symbol} is called {called} now: ask for that")
    if frame.empty:
        raise SourceError(Cause.EMPTY, f"Yahoo has no daily row of {symbol} since {first}")
    columns = {name: frame[column].to_numpy() for column, name in _COLUMNS.items()}
    days = pl.DataFrame({"session": [stamp.date() for stamp in frame.index], **columns})
    # yfinance makes a time of it only when it has formatted the rest.
    if isinstance(began, int | float):
        began = datetime.fromtimestamp(began, UTC)
    listed = began.date() if began is not None else None
    return Answer(symbol, listed, about, days.with_columns(pl.exclude("session").cast(pl.Float64)))


def news(symbol: str) -> list[dict[str, Any]]:
    """Yahoo's newest items on the symbol: uuid, title, link, providerPublishTime and, not
    always, relatedTickers. Raises SourceError."""
    import yfinance

    with _named(symbol):
        search = yfinance.Search(symbol, max_results=1, news_count=_NEWS, include_cb=False)
        return list(search.news)


@contextmanager
def _named(symbol: str) -> Iterator[None]:
    from yfinance.data import YfData
    from yfinance.exceptions import YFException

    # It would answer a repeated question from memory, failures included.
    YfData.cache_get.cache_clear()
    try:
        yield
    except (YFException, OSError, ValueError) as error:
        raise _explained(symbol, error) from error


def _explained(symbol: str, failure: Exception) -> SourceError:
    """Ask Yahoo why: yfinance does not keep its explanation of a failure."""
    from yfinance.const import _BASE_URL_
    from yfinance.data import YfData
    from yfinance.exceptions import YFRateLimitError, YFTickerMissingError

    url = f"{_BASE_URL_}/v8/finance/chart/{symbol}"
    try:
        if isinstance(failure, YFRateLimitError):
            raise failure
        answer = YfData().get(url, params={"range": "5d", "interval": "1d"}).json()
        problem = answer["chart"]["error"] or {}
    except YFRateLimitError:
        return SourceError(Cause.THROTTLED, f"Yahoo refuses {symbol} for now: {failure}")
    except (OSError, ValueError, LookupError, TypeError):
        problem = None
    if problem:
        said = str(problem.get("description") or problem.get("code"))
        gone = "delisted" in said.lower()
        return SourceError(Cause.DELISTED if gone else Cause.UNKNOWN, f"{symbol}: {said}")
    if problem is not None and isinstance(failure, YFTickerMissingError):
        return SourceError(Cause.EMPTY, f"Yahoo has no daily row of {symbol}: {failure}")
    return SourceError(Cause.UNREACHABLE, f"Yahoo gave no readable answer on {symbol}: {failure}")
