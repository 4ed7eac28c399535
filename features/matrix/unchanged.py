"""What a later snapshot changes: nothing that was decided before its news was known.

A value at t is made of what was known at t. So a session that was written at an earlier snapshot
holds at a later one, unless a load in between brought something that was known by its close.
"""

from datetime import datetime

from contracts.store import Store
from contracts.tables import TABLES


def first_news(store: Store, since: int, until: int) -> datetime | None:
    """The earliest `known_at` of a fact among the loads after `since` up to `until`; None: none.

    Of all facts, whatever universe they are about: it may be too early, never too late.
    """
    facts = [table.name for table in TABLES.values() if table.kind == "fact"]
    each = " UNION ALL ".join(
        f"SELECT min(known_at) AS known_at FROM {name} WHERE load_id > %s AND load_id <= %s"
        for name in facts
    )
    found = store.query(
        f"SELECT min(known_at) AS first FROM ({each}) AS news", [since, until] * len(facts)
    )
    first = found["first"][0].as_py()
    return first if isinstance(first, datetime) else None
