"""What a check of a release found, and a table of them."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from contracts.release.rollout import HOLD, PROMOTE, ROLLBACK, Verdict
from contracts.store import StoreUnavailable

log = logging.getLogger(__name__)

Result: TypeAlias = Literal["pass", "fail", "no data"]

PASS: Result = "pass"
FAIL: Result = "fail"
NO_DATA: Result = "no data"

_TITLES = ("check", "champion", "challenger", "limit", "result")


@dataclass(frozen=True)
class Check:
    """One check: both sides' values where there are any, the limit in words, and why it failed or
    has no data."""

    name: str
    result: Result
    limit: str
    champion: float | None = None
    challenger: float | None = None
    why: str = ""

    @property
    def words(self) -> str:
        """The check in one sentence, for the ledger."""
        sides = f"{_number(self.challenger)} against {_number(self.champion)}, {self.limit}"
        return f"{self.name}: {self.why or sides}"

    def as_json(self) -> dict[str, Any]:
        """Plain values; what is not finite is null."""
        return dict(vars(self))


def verdict(checks: Sequence[Check]) -> Verdict:
    """What fails goes, what is not known waits, else it goes on."""
    results = [one.result for one in checks]
    return ROLLBACK if FAIL in results else HOLD if NO_DATA in results else PROMOTE


def within(
    name: str, champion: float, challenger: float, most: float, limit: str, why: str = ""
) -> Check:
    """The check that the challenger's value is at most so much."""
    held = challenger <= most
    return Check(name, PASS if held else FAIL, limit, champion, challenger, "" if held else why)


def collected(checks: Iterable[Check]) -> list[Check]:
    """All checks; one that breaks is told as no data, so that what failed before it counts and the
    deadline comes. Raises StoreUnavailable: without the ledger nothing is decided."""
    found: list[Check] = []
    try:
        found.extend(checks)
    except StoreUnavailable:
        raise
    except Exception as error:
        log.exception("a check of a release broke")
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        found.append(Check("the checks after these", NO_DATA, "can be asked", why=why))
    return found


def table(checks: Sequence[Check]) -> Iterator[str]:
    """Lines of a table of the checks."""
    rows = [_TITLES]
    for one in checks:
        told = (_number(one.champion), _number(one.challenger), one.limit)
        rows.append((one.name, *told, f"{one.result}  {one.why}".rstrip()))
    widths = [max(len(row[k]) for row in rows) for k in range(len(_TITLES) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join((*cells, row[-1])).rstrip()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.5g}"
