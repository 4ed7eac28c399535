"""Asking Nasdaq for the headlines of a symbol, with each failure named by its cause."""

from http import HTTPStatus

import httpx

from etl.source import Cause, SourceError
from etl.web.rss import Item, NotRss, items

URL = "https://www.nasdaq.com/feed/rssoutbound"
_TIMEOUT = 20.0  # seconds
_LONGEST = 5_000_000  # bytes of an answer
# It answers browsers only.
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_REFUSED = (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)


def feed(symbol: str) -> list[Item]:
    """The items that Nasdaq files under the symbol; for one unknown to it these are of others.

    Raises SourceError.
    """
    status, text = _get(symbol)
    if status in _REFUSED:
        raise SourceError(Cause.THROTTLED, f"Nasdaq refuses {symbol} for now: HTTP {status}")
    if status == HTTPStatus.NOT_FOUND:
        raise SourceError(Cause.UNKNOWN, f"Nasdaq has no feed of {symbol}")
    if status != HTTPStatus.OK:
        raise SourceError(Cause.UNREACHABLE, f"Nasdaq failed on {symbol}: HTTP {status}")
    if text.lstrip()[:200].lower().startswith((b"<!doctype html", b"<html")):
        raise SourceError(Cause.THROTTLED, f"Nasdaq sent a page instead of the feed of {symbol}")
    try:
        return items(text)
    except NotRss as error:
        message = f"Nasdaq gave no readable answer on {symbol}: {error}"
        raise SourceError(Cause.UNREACHABLE, message, alone=True) from error


def _get(symbol: str) -> tuple[int, bytes]:
    headers = {"User-Agent": _AGENT, "Accept": "application/rss+xml, application/xml"}
    asked = {"params": {"symbol": symbol}, "headers": headers, "timeout": _TIMEOUT}
    text = bytearray()
    try:
        with httpx.stream("GET", URL, follow_redirects=True, **asked) as answer:  # type: ignore[arg-type]
            for part in answer.iter_bytes():
                text += part
                if len(text) > _LONGEST:
                    raise SourceError(
                        Cause.UNREACHABLE, f"Nasdaq's answer on {symbol} exceeds {_LONGEST} bytes"
                    )
    except httpx.HTTPError as error:
        message = f"Nasdaq does not answer on {symbol}: {type(error).__name__} {error}"
        raise SourceError(Cause.UNREACHABLE, message) from error
    return answer.status_code, bytes(text)
