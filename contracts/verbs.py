"""What the verbs of all rooms share: their options, and one line for what is expected to fail."""

import sys
from collections.abc import Callable, Iterable
from datetime import date
from typing import Annotated, TypeVar

import typer

from contracts import outages
from contracts.expected import Expected
from contracts.process.signals import heard

T = TypeVar("T")
R = TypeVar("R")


def day(text: str) -> date | None:
    """A session as it is written, None for an empty one; raises BadParameter."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise typer.BadParameter(f"expected a session as 2025-06-30, found {text!r}") from None


def _session(text: str) -> date:
    found = day(text)
    if found is None:
        raise typer.BadParameter("expected a session as 2025-06-30, found ''")
    return found


_DAY = "YYYY-MM-DD"

Universe = Annotated[str, typer.Option(help="whose facts and models; default: FINPULSE_UNIVERSE")]
Session = Annotated[
    date, typer.Option(parser=_session, metavar=_DAY, help="session at whose close this is done")
]
First = Annotated[date | None, typer.Option(parser=day, metavar=_DAY, help="first session")]
Last = Annotated[date | None, typer.Option(parser=day, metavar=_DAY, help="last session")]
One = Annotated[
    date | None,
    typer.Option(parser=day, metavar=_DAY, help="one session: the same as --first and --last"),
]
Snapshot = Annotated[int, typer.Option(help="newest load that may be seen")]
Newest = Annotated[
    int | None,
    typer.Option("--snapshot", help="newest load that may be seen; default: the newest"),
]


def each(parts: Iterable[T], do: Callable[[T], R]) -> list[R]:
    """What came of every part: one that fails is named at once, and does not stop the others.

    Raises in the end what the first of them raised.
    """
    done, failures = list[R](), list[Exception]()
    for part in parts:
        try:
            done.append(do(part))
        except Exception as error:
            typer.echo(f"{part}: {error}", err=True)
            failures.append(error)
    if failures:
        raise failures[0]
    return done


def run(app: typer.Typer) -> None:
    """Run a room's verbs; ends the process with 1 and one line when one fails as expected."""
    try:
        with heard():
            app()
    except Expected as error:
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")
    except Exception as error:
        line = outages.told(error)
        if line is None:
            raise
        sys.exit(line)
