"""Asking Yahoo Finance through yfinance, with each failure named by its cause."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from etl.source import Cause, SourceError

if TYPE_CHECKING:
    import pandas

_NEWS = 50
_DAY = timedelta(days=1)
_MINUTE_DAYS = 7  # of one question for minutes
_AS_TRADED: dict[str, Any] = {"auto_adjust": False, "keepna": True}
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
    "exchangeTimezoneName",
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
        frame = ticker.history(start=first, end=now.date() + _DAY, **_AS_TRADED)
        # Each key by name: the whole of it would be another, intraday, question.
        about = {key: ticker.history_metadata.get(key) for key in _ABOUT}
        began = ticker.history_metadata.get("firstTradeDate")
    called = about["symbol"] or symbol
    if called != symbol:
        raise SourceError(Cause.RENAMED, f"{symbol} is called {called} now: ask for that")
    if frame.empty:
        raise SourceError(Cause.EMPTY, f"Yahoo has no daily row of {symbol} since {first}")
    # yfinance makes a time of it only when it has formatted the rest.
    if isinstance(began, int | float):
        began = datetime.fromtimestamp(began, UTC)
    listed = began.date() if began is not None else None
    return Answer(symbol, listed, about, _columns(frame))


def minutes(symbol: str, first: date, last: date) -> pl.DataFrame:
    """The minutes of those days: as `Answer.days`, and `starts` (UTC). Raises SourceError.

    Yahoo keeps them for some thirty days.
    """
    import yfinance

    parts = []
    for offset in range(0, (last - first).days + 1, _MINUTE_DAYS):
        start = first + offset * _DAY
        end = min(start + _MINUTE_DAYS * _DAY, last + _DAY)
        with _named(symbol):
            ticker = yfinance.Ticker(symbol)
            frame = ticker.history(start=start, end=end, interval="1m", **_AS_TRADED)
        starts = [stamp.to_pydatetime().astimezone(UTC) for stamp in frame.index]
        moments = pl.Series("starts", starts, pl.Datetime("us", "UTC"))
        parts.append(_columns(frame).with_columns(moments))
    found = pl.concat(parts)
    if not len(found):
        raise SourceError(Cause.EMPTY, f"Yahoo has no minute of {symbol} from {first} to {last}")
    return found


def _columns(frame: "pandas.DataFrame") -> pl.DataFrame:
    columns = {name: frame[column].to_numpy() for column, name in _COLUMNS.items()}
    sessions = pl.Series("session", [stamp.date() for stamp in frame.index], pl.Date())
    return pl.DataFrame({"session": sessions, **columns}).with_columns(
        pl.exclude("session").cast(pl.Float64).fill_nan(None)
    )


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
    except (YFException, OSError, ValueError, LookupError, TypeError) as error:
        # The last two: it takes an answer apart without looking whether all is there.
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
        return SourceError(Cause.EMPTY, f"Yahoo has no row of {symbol}: {failure}")
    return SourceError(Cause.UNREACHABLE, f"Yahoo gave no readable answer on {symbol}: {failure}")
