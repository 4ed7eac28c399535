"""What a universe is: whose facts and models a step is about, and by which sessions it goes.

declare(Universe("london8", "XLON", "GBP", SYMBOLS, everything("simulated")))

When who belonged to it is told by dated memberships in the store.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.expected import Expected
from contracts.registry import Registry
from contracts.settings import Settings, settings
from contracts.tables import TABLES

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class UniverseError(Expected, ValueError):
    """What cannot be a universe's name; the message says what can."""


@dataclass(frozen=True)
class Universe:
    """A declared universe, or one that the settings describe.

    calendar: of the sessions that a step goes by; its instruments may trade on others. currency:
    that of its prices, empty where nobody stated it. symbols: who is asked for, empty for all
    that a source brings. sources: table -> members of etl/sources, the best first. Raises
    UniverseError for a name that could not be that of a folder, a model in MLflow and a DAG.
    """

    name: str
    calendar: str
    currency: str = ""
    symbols: tuple[str, ...] = ()
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UniverseError(
                "expected a universe's name of at most 100 letters, digits and _ . - that begins "
                f"with a letter or digit, found {self.name[:120]!r}: choose another --universe or "
                "FINPULSE_UNIVERSE"
            )

    def source(self, table: str = "bars") -> str | None:
        """The best source of a table, or of any where it has none; None where none is stated."""
        chosen = self.sources.get(table) or next(iter(self.sources.values()), ())
        return next(iter(chosen), None)


UNIVERSES: Registry[Universe] = Registry("universe", "contracts.universes")


def declare(universe: Universe) -> None:
    """Make a universe known by its name to every verb's `--universe`."""
    UNIVERSES.add(universe.name, universe)


def everything(*sources: str) -> Mapping[str, tuple[str, ...]]:
    """The same sources, the best first, for all tables of facts."""
    return {table.name: sources for table in TABLES.values() if table.kind == "fact"}


def universe(name: str = "", known: Settings | None = None) -> Universe:
    """The declared universe of that name, else one as the settings describe it.

    name: default: FINPULSE_UNIVERSE. known: default: the process's settings. Of a universe that
    is not the settings' own they say the calendar, and nothing of its sources.
    """
    given = known or settings()
    wanted = name or given.universe
    if wanted in UNIVERSES.names():
        return UNIVERSES.get(wanted)
    sources = everything(given.source) if wanted == given.universe else {}
    return Universe(wanted, given.calendar, sources=sources)
