"""Failures of the place where a verb runs, told in one line each."""

import errno

from contracts.settings import settings
from contracts.store import StatementFailed, lost

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_AGAIN = "then run the same command again: nothing is lost and nothing doubled"


def told(error: Exception) -> str | None:
    """What happened and what to do: full disk, too little memory, a lost database, a statement
    that it refuses; else None."""
    import psycopg2

    if isinstance(error, OSError) and error.errno in _FULL:
        where = error.filename or settings().objects
        return f"DiskFull: no room to write in {where}: {error.strerror}; free some, {_AGAIN}"
    if isinstance(error, MemoryError):
        said = " ".join(str(error).split()) or "no more could be had"
        return f"OutOfMemory: {said}; load fewer sessions at a time (--first, --last), {_AGAIN}"
    # A connection that breaks fails once more when it is rolled back.
    if isinstance(error.__context__, psycopg2.Error):
        error = error.__context__
    said = " ".join(str(error).split())
    if isinstance(error, psycopg2.errors.DiskFull):
        return f"DiskFull: the database's disk is full: {said}; free some, {_AGAIN}"
    if isinstance(error, psycopg2.Error) and not lost(error.pgcode):
        condition = f"{type(error).__name__} {error.pgcode}"
        return (
            f"StatementFailed: the database refuses a statement ({condition}): {said}; what was "
            "appended before stays, and running it again gives the same until the cause is mended"
        )
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return f"StoreUnavailable: the database was lost: {said}; start it, {_AGAIN}"
    if isinstance(error, StatementFailed):
        return f"StatementFailed: {said}"
    return None
