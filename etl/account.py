"""What became of all that a source read: handed on, refused, or not asked for; and files unread."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class AccountError(ValueError):
    """A source read rows of which it does not say what became of them; a fault of the source."""


@dataclass
class Left:
    """How many rows were left for one reason, and the first of them."""

    count: int
    first: str


@dataclass
class Account:
    """A source's rows by table. Read are those that it found, whatever it then did with them.

    refused, outside: by table and reason. unread: why a file was not read, by its name. notes:
    what was taken for granted, by the file in which it was.
    """

    read: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    refused: dict[tuple[str, str], Left] = field(default_factory=dict)
    outside: dict[tuple[str, str], Left] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def add(
        self, kept: dict[tuple[str, str], Left], table: str, reasons: Mapping[str, Left]
    ) -> None:
        """Count rows among `refused` or `outside`."""
        for reason, left in reasons.items():
            held = kept.setdefault((table, reason), Left(0, left.first))
            held.count += left.count

    def of(self, table: str) -> int:
        """Rows of which it is known what became of them."""
        parts = (self.refused, self.outside)
        left = sum(x.count for part in parts for (name, _), x in part.items() if name == table)
        return self.delivered[table] + left

    def check(self, source: str, tables: set[str]) -> None:
        """Raise AccountError unless all rows that were read, of these and other tables, are
        accounted for."""
        for table in sorted(tables | set(self.read)):
            if self.read[table] != self.of(table):
                raise AccountError(
                    f"source {source!r} read {self.read[table]} rows of {table} and accounts for "
                    f"{self.of(table)}: it must deliver each, with `fault` or `outside` set "
                    "where it is no fact of the request"
                )

    def told(self) -> list[str]:
        """As the function `told`, of this account."""
        return told(self.kept())

    def kept(self) -> dict[str, Any]:
        """The account as JSON has it, for the manifest of a batch."""

        def listed(part: Mapping[tuple[str, str], Left]) -> list[dict[str, Any]]:
            return [
                {"table": table, "reason": reason, "count": left.count, "first": left.first}
                for (table, reason), left in part.items()
            ]

        return {
            "read": dict(self.read),
            "delivered": dict(self.delivered),
            "refused": listed(self.refused),
            "outside": listed(self.outside),
            "unread": self.unread,
            "notes": self.notes,
        }


def told(kept: Mapping[str, Any]) -> list[str]:
    """One line per table and reason, and per file of which something is to be said.

    kept: the answer of `Account.kept`; empty for batches of before there were accounts.
    """
    said = [
        f"{each['table']}: {each['count']} {what} ({each['reason']}), first: {each['first']}"
        for part, what in (("refused", "refused"), ("outside", "left out"))
        for each in kept.get(part, [])
    ]
    said += [f"not read: {file}: {why}" for file, why in kept.get("unread", {}).items()]
    return said + [f"{file}: {note}" for file, note in kept.get("notes", {}).items()]
