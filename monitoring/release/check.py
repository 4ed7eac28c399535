"""What a check of a release found, and a table of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from contracts.release.rollout import HOLD, PROMOTE, ROLLBACK, Verdict

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
