"""Every table of the system, declared once: migrations are compared
with it, frames are checked by it."""

from contracts.table import Table
from contracts.tables import facts, ledgers
from contracts.tables.facts import *  # noqa: F403
from contracts.tables.ledgers import *  # noqa: F403

TABLES: dict[str, Table] = {
    table.name: table
    for module in (facts, ledgers)
    for table in vars(module).values()
    if isinstance(table, Table)
}
