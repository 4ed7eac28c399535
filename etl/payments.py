"""A day's actions of one kind as one fact: several are joined, withdrawn ones taken out.

Dividends of one ex-date are summed, splits multiplied. What is withdrawn leaves the rest of its
day, or what changes nothing (a dividend of 0, a split of 1): a newer version that says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from math import prod
from typing import Any

import polars as pl

from etl.source import FAULT

_DAY = ("instrument_id", "ex_date", "kind", "source")
UNKNOWN = "withdraws what no row of its day states"
Row = dict[str, Any]


def joined(frame: pl.DataFrame, reason: str, place: str) -> pl.DataFrame:
    """The judged rows with those of one day, kind and `known_at` in one, others as they are.

    A row restates an earlier known one with its `id`, or without ids the one of its position. A
    withdrawal is of its `id`, or else of its value. Rows that went into another are left out;
    one that withdraws nothing gets a reason. reason, place: columns of the frame.
    """
    sound = pl.col(reason).is_null()
    said = pl.col("withdrawn").fill_null(False)
    single = (pl.len().over(_DAY) == 1) & ~said
    rest = frame.filter(sound).filter(~single)
    if not rest.height:
        return frame
    rows = rest.sort(*_DAY, "known_at", place).to_dicts()
    told = [
        row
        for _, day in groupby(rows, lambda row: [row[name] for name in _DAY])
        for row in _days(list(day), reason)
    ]
    new = pl.DataFrame(told, schema=frame.schema)
    gone = frame.join(rest.select(place), on=place, how="anti", maintain_order="left")
    return pl.concat([gone, new]).sort(place)


@dataclass
class _Held:
    """Payments of one day that stand, by what names them."""

    kind: str
    amounts: dict[str, float] = field(default_factory=dict)

    def take_out(self, row: Row) -> bool:
        """Whether the row's payment stood; it does no longer."""
        named = [
            name
            for name, amount in self.amounts.items()
            if (name == row["id"] if row["id"] else amount == row["value"])
        ]
        for name in named[:1]:
            del self.amounts[name]
        return bool(named)

    @property
    def total(self) -> float:
        """What one share is paid, or becomes, on that day."""
        amounts = self.amounts.values()
        return float(f"{prod(amounts) if self.kind == 'split' else sum(amounts):.12g}")


def _days(day: list[Row], reason: str) -> Iterator[Row]:
    held = _Held(day[0]["kind"])
    for _, same in groupby(day, lambda row: row["known_at"]):
        rows = sorted(same, key=lambda row: bool(row["withdrawn"]))
        stated = [row for row in rows if not row["withdrawn"]]
        held.amounts |= {
            row["id"] or f"\x00{number}": row["value"] for number, row in enumerate(stated)
        }
        # A file that says only what is withdrawn speaks of a fact that is stored.
        bare = not stated and not held.amounts and len(rows) == len(day)
        lost = [row for row in rows if row["withdrawn"] and not (held.take_out(row) or bare)]
        yield from (row | {reason: UNKNOWN, FAULT: UNKNOWN} for row in lost)
        kept = [row for row in rows if row not in lost]
        if kept:
            yield kept[0] | {"value": held.total}
