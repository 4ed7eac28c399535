"""Asking again, with pauses that grow; and when a failure is one symbol's or the provider's."""

from collections.abc import Callable
from typing import TypeVar

import tenacity

from etl.source import Cause, SourceError

PAUSE = 2.0  # seconds before the second attempt; doubled before each further one
ATTEMPTS = 4
TEMPORARY = (Cause.THROTTLED, Cause.UNREACHABLE)
_OUTAGE = 3  # symbols in a row whose answers cannot be read
T = TypeVar("T")


def patiently(ask: Callable[[], T]) -> T:
    """The answer, asked for again with growing pauses while the cause may pass."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(
            lambda error: isinstance(error, SourceError) and error.cause in TEMPORARY
        ),
        wait=tenacity.wait_exponential_jitter(PAUSE, max=60, jitter=PAUSE / 2),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        reraise=True,
    )(ask)


class Failures:
    """What failed of the symbols asked for: one costs itself, an outage stops all."""

    def __init__(self, asked: int) -> None:
        self._asked = asked
        self._failed: list[SourceError] = []
        self._row = 0

    def add(self, error: SourceError) -> None:
        """Count a symbol's failure; raises it when it is the provider's, or when all failed."""
        self._failed.append(error)
        if error.cause in TEMPORARY:
            self._row += 1
            if not error.alone or self._row >= _OUTAGE:
                raise error
        if len(self._failed) == self._asked:
            raise self._failed[0]

    def passed(self) -> None:
        """A symbol answered."""
        self._row = 0
