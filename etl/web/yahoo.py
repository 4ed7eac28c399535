"""Asking Yahoo Finance through yfinance, with each failure named by its cause."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from etl.parsing import cells
from etl.source import FAULT, Cause, SourceError

if TYPE_CHECKING:
    import pandas

_NEWS = 50
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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

    began: the first day of its trading, where Yahoo tells. about: its metadata as texts, absent
    values None. days: columns session, open, high, low, close, volume, dividend, split (0 for
    none), prices and dividends divided by all splits up to the moment of asking, and `fault`,
    where a cell is no number.
    """

    symbol: str
    began: date | None
    about: dict[str, str | None]
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
        about = {key: cells.name(ticker.history_metadata.get(key))[0] for key in _ABOUT}
        listed = _began(ticker.history_metadata.get("firstTradeDate"))
        days = _columns(frame)
    called = about["symbol"] or symbol
    if called != symbol:
        raise SourceError(Cause.RENAMED, f"{symbol} is called {called} now: ask for that")
    if not days.height:
        raise SourceError(Cause.EMPTY, f"Yahoo has no daily row of {symbol} since {first}")
    return Answer(symbol, listed, about, days)


def _began(told: object) -> date | None:
    # yfinance makes a time of it only when it has formatted the rest.
    if isinstance(told, int | float):
        try:
            return (_EPOCH + timedelta(seconds=told)).date()
        except (OverflowError, ValueError):
            return None
    return cells.day(told)[0]


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
    days = [cells.day(stamp.date())[0] for stamp in frame.index]
    columns = {"session": pl.Series(days, dtype=pl.Date())}
    faults: list[str | None] = [None] * len(days)
    for column, name in _COLUMNS.items():
        read = [(cell, cells.number(cell)) for cell in frame[column].tolist()]
        columns[name] = pl.Series([value for _, (value, _) in read], dtype=pl.Float64())
        for place, (cell, (_, wrong)) in enumerate(read):
            if wrong:
                faults[place] = faults[place] or f"{name} {wrong}: {cells.shown(cell)}"
    return pl.DataFrame({**columns, FAULT: pl.Series(faults, dtype=pl.String())})


def news(symbol: str) -> list[object]:
    """Yahoo's newest items on the symbol as they came: objects with uuid, title, link,
    providerPublishTime and, not always, relatedTickers. Raises SourceError."""
    import yfinance

    with _named(symbol):
        search = yfinance.Search(symbol, max_results=1, news_count=_NEWS, include_cb=False)
        return list(search.news)


@contextmanager
def _named(symbol: str) -> Iterator[None]:
    from yfinance.data import YfData

    # It would answer a repeated question from memory, failures included.
    YfData.cache_get.cache_clear()
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        # It takes an answer apart without looking whether all is there, so anything may fail.
        raise _explained(symbol, error) from error


def _explained(symbol: str, failure: Exception) -> SourceError:
    """Ask Yahoo why: yfinance does not keep its explanation of a failure."""
    from yfinance.const import _BASE_URL_
    from yfinance.data import YfData
    from yfinance.exceptions import YFRateLimitError, YFTickerMissingError

    url = f"{_BASE_URL_}/v8/finance/chart/{symbol}"
    problem: object = None
    answers = False
    try:
        if isinstance(failure, YFRateLimitError):
            raise failure
        answer = YfData().get(url, params={"range": "5d", "interval": "1d"})
        answers = answer.status_code == HTTPStatus.OK
        problem = answer.json()["chart"]["error"] or {}
    except YFRateLimitError:
        return SourceError(Cause.THROTTLED, f"Yahoo refuses {symbol} for now: {failure}")
    except (OSError, ValueError, LookupError, TypeError):
        pass
    if isinstance(problem, dict) and problem:
        said = cells.shown(problem.get("description") or problem.get("code"))
        gone = "delisted" in said.lower()
        return SourceError(Cause.DELISTED if gone else Cause.UNKNOWN, f"{symbol}: {said}")
    if problem == {} and isinstance(failure, YFTickerMissingError):
        return SourceError(Cause.EMPTY, f"Yahoo has no row of {symbol}: {failure}")
    message = f"Yahoo gave no readable answer on {symbol}: {cells.shown(failure)}"
    return SourceError(Cause.UNREACHABLE, message, alone=answers)
