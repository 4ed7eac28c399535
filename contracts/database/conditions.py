"""Which rows of a table of facts a read looks at, as a condition in SQL."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import cast

from contracts.table import Table


def _pruned(table: Table, where: Mapping[str, object]) -> Mapping[str, object]:
    """The conditions, and with them the partitions that hold the wanted sessions.

    A session's rows lie within two days of its date in every time zone.
    """
    wanted = where.get("session")
    if not table.partition or wanted is None:
        return where
    if isinstance(wanted, date):
        wanted = (wanted, wanted)
    if not isinstance(wanted, tuple):
        return where
    # Times, not dates: only by these does the planner leave partitions out.
    low, high = (bound and datetime.combine(bound, time(), UTC) for bound in wanted)
    near = timedelta(days=2)
    return {table.partition: (low and low - near, high and high + near), **where}


def known(
    table: Table, as_of: datetime, snapshot: int, where: Mapping[str, object] | None
) -> tuple[str, list[object]]:
    """The condition, with `%s` for its values; see `Store.read`."""
    if as_of.tzinfo is None:
        raise ValueError(f"as_of must carry a time zone (UTC), found {as_of}")
    parts, values = ["known_at <= %s AND load_id <= %s"], list[object]([as_of, snapshot])
    for column, wanted in _pruned(table, where or {}).items():
        name = f'AND "{column}"'
        if isinstance(wanted, tuple):
            for sign, bound in zip((">=", "<="), wanted, strict=True):
                if bound is not None:
                    parts.append(f"{name} {sign} %s")
                    values.append(bound)
        elif isinstance(wanted, str | int | float | date):
            parts.append(f"{name} = %s")
            values.append(wanted)
        else:
            parts.append(f"{name} = ANY(%s)")
            values.append(list(cast(Sequence[object], wanted)))
    return " ".join(parts), values
