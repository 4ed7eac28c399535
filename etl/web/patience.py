"""Asking again: what may pass is waited for, with pauses that grow."""

from collections.abc import Callable
from typing import TypeVar

import tenacity

from etl.source import Cause, SourceError

PAUSE = 2.0  # seconds before the second attempt; doubled before each further one
ATTEMPTS = 4
TEMPORARY = (Cause.THROTTLED, Cause.UNREACHABLE)
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
