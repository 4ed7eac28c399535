"""How a verb ends: what is expected to fail is told in one line that says what to do."""

import sys
from collections.abc import Callable

import typer

from contracts.calendar import CalendarError
from contracts.registry import UnknownMember
from contracts.settings import SettingsError
from contracts.signals import heard
from contracts.store import OriginError, StatementFailed, StoreUnavailable
from contracts.table import FrameError

Kinds = tuple[type[Exception], ...]

_EVERYWHERE: Kinds = (
    *(SettingsError, StoreUnavailable, StatementFailed, OriginError, FrameError),
    *(CalendarError, UnknownMember),
    # What an earlier verb has to bring: facts, texts, matrices, steps, files in the object store.
    *(LookupError, FileNotFoundError),
)
_UNDEFINED = "42P01"


def run(
    app: typer.Typer,
    expected: Callable[[], Kinds] = tuple,
    told: Callable[[Exception], str | None] = lambda _: None,
) -> None:
    """Run a room's verbs; ends the process with 1 and one line when one fails as expected.

    expected: the room's own failures, asked for when something failed. told: a line for others,
    None for a fault of ours, which shows where it happened.
    """
    try:
        with heard():
            app()
    except Exception as error:
        line = _line(error, expected()) or told(error) or _database(error)
        if line is None:
            raise
        sys.exit(line)


def _line(error: Exception, expected: Kinds) -> str | None:
    known = isinstance(error, (*_EVERYWHERE, *expected))
    # A missing key is no missing fact: it is a fault of ours, unless somebody says what it means.
    if not known or type(error) in (KeyError, IndexError):
        return None
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _database(error: Exception) -> str | None:
    import adbc_driver_manager as adbc
    import psycopg2

    # SQLAlchemy wraps the driver's error; a connection that breaks fails again when rolled back.
    found = getattr(error, "orig", None) or error
    if isinstance(found.__context__, psycopg2.Error):
        found = found.__context__
    said = " ".join(str(found).split())
    if (getattr(found, "pgcode", None) or getattr(found, "sqlstate", None)) == _UNDEFINED:
        return f"TablesMissing: {said}: create the tables with `python -m contracts migrate`"
    lost = (psycopg2.OperationalError, psycopg2.InterfaceError, adbc.OperationalError)
    if isinstance(found, lost):
        return (
            f"StoreUnavailable: the database does not answer: {said}; start the stack with "
            "`make up` or correct FINPULSE_DATABASE_URL"
        )
    return None
