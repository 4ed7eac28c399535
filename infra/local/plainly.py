"""What is expected to fail, or is cut off, ends in one message that says what to do."""

import contextlib
import signal
import sys
from collections.abc import Callable
from types import FrameType

import httpx
import ports
import postgres
from stack import StackError

from contracts.settings import SettingsError
from contracts.store import StoreUnavailable
from contracts.time.calendar import CalendarError

_FAILURES = (
    StackError,
    SettingsError,
    StoreUnavailable,
    CalendarError,
    postgres.PostgresError,
    ports.PortTaken,
)
_CUT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CutOff(BaseException):
    """A signal told this program to end: Ctrl-C, a closed terminal, `kill`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


def _cut(number: int, _: FrameType | None) -> None:
    # Once is enough: a second signal must not break the way out.
    for each in _CUT:
        signal.signal(each, signal.SIG_IGN)
    raise CutOff(number)


def plainly(main: Callable[[], int], goes_on: str) -> int:
    """The exit status of `main`; `goes_on` is said when it is cut off."""
    for number in _CUT:
        # Under `nohup` a closed terminal is to be no matter.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _cut)
    try:
        return main()
    except _FAILURES as error:
        return _say(f"error: {error}", 1)
    except httpx.HTTPError as error:
        return _say(f"error: a service stopped answering ({error}): see its log", 1)
    except CutOff as error:
        return _say(f"cut off: {goes_on}", error.status)


def _say(text: str, status: int) -> int:
    with contextlib.suppress(OSError):  # The terminal was closed.
        print(text, file=sys.stderr, flush=True)
    return status
