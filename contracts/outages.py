"""Failures of the place where a verb runs, told in one line each."""

import errno

from contracts.settings import settings
from contracts.store import lost

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_AGAIN = "then run the same command again: nothing is lost and nothing doubled"
_UNDEFINED = "42P01"


def told(error: Exception) -> str | None:
    """What happened and what to do: full disk, a file that cannot be had, too little memory, a
    lost database, a statement that it refuses; else None."""
    if isinstance(error, OSError) and error.errno in _FULL:
        where = error.filename or settings().objects
        return f"DiskFull: no room to write in {where}: {error.strerror}; free some, {_AGAIN}"
    if isinstance(error, OSError) and error.filename:
        return f"{type(error).__name__}: {_line(error)}: name one that is there and may be used"
    if isinstance(error, MemoryError):
        said = _line(error) or "no more could be had"
        return f"OutOfMemory: {said}; look at fewer sessions at a time (--first, --last), {_AGAIN}"
    return _of_database(error)


def _of_database(error: Exception) -> str | None:
    import adbc_driver_manager as adbc
    import psycopg2

    # SQLAlchemy wraps the driver's error, and a connection that breaks fails once more when it is
    # rolled back.
    found = getattr(error, "orig", None) or error
    if isinstance(found.__context__, psycopg2.Error):
        found = found.__context__
    said, state = _line(found), getattr(found, "pgcode", None) or getattr(found, "sqlstate", None)
    if state == _UNDEFINED:
        return f"TablesMissing: {said}: create the tables with `python -m contracts migrate`"
    if isinstance(found, psycopg2.errors.DiskFull):
        return f"DiskFull: the database's disk is full: {said}; free some, {_AGAIN}"
    if isinstance(found, psycopg2.Error | adbc.OperationalError) and not lost(state):
        return (
            f"StatementFailed: the database refuses a statement ({type(found).__name__} {state}): "
            f"{said}; what was written before stays, and running it again gives the same until "
            "the cause is mended"
        )
    if isinstance(
        found, psycopg2.OperationalError | psycopg2.InterfaceError | adbc.OperationalError
    ):
        return f"StoreUnavailable: the database was lost: {said}; start it, {_AGAIN}"
    return None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
