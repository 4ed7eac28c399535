"""What one office serves at one moment: a checked champion and its forecasts, immutable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, cast

from contracts.champion import Champion, Office
from contracts.store import Store
from training.bundle.manifest import Manifest

Row = Mapping[str, Any]

_SERVED = (
    "symbol, instrument_id, session, target, horizon, p_down, p_neutral, p_up, signal, "
    "forecast, as_of, snapshot, bundle, prediction_id, origin, issued_at"
)


@dataclass(frozen=True)
class View:
    """A champion whose bundle passed its checks, and the newest forecast of each symbol."""

    champion: Champion
    manifest: Manifest
    data_origin: str
    newest: Mapping[str, Row] = field(repr=False)

    @property
    def office(self) -> Office:
        """Where it is champion."""
        return self.champion.office

    @cached_property
    def as_of(self) -> datetime:
        """When the newest of the forecasts was decided."""
        return cast(datetime, max(row["as_of"] for row in self.newest.values()))


_FORECASTERS = """
SELECT said.bundle, (
  SELECT coalesce(sum(n), 0)::bigint FROM tallies
  WHERE table_name = 'predictions' AND groups ->> 'bundle' = said.bundle) AS n
FROM (
  SELECT DISTINCT bundle FROM predictions
  WHERE universe = %s AND target = %s AND session = %s) said
"""
# From one instrument to the next, and of each the newest: a history of any length costs nothing.
_NEWEST = f"""
WITH RECURSIVE traded AS (
  SELECT min(instrument_id) AS next FROM predictions WHERE bundle = %s AND target = %s
  UNION ALL
  SELECT (SELECT min(p.instrument_id) FROM predictions p
    WHERE p.bundle = %s AND p.target = %s AND p.instrument_id > traded.next)
  FROM traded WHERE traded.next IS NOT NULL)
SELECT {_SERVED} FROM traded CROSS JOIN LATERAL (
  SELECT p.* FROM predictions p
  WHERE p.bundle = %s AND p.target = %s AND p.instrument_id = traded.next
  ORDER BY p.as_of DESC, p.snapshot DESC LIMIT 1) newest
"""
_DECIDED = f"""
SELECT {_SERVED} FROM unnest(%s::text[]) AS asked (name) CROSS JOIN LATERAL (
  SELECT p.* FROM predictions p WHERE p.bundle = %s AND p.symbol = asked.name AND p.as_of <= %s
  ORDER BY p.as_of DESC, p.snapshot DESC LIMIT 1) found
"""


def forecasters(store: Store, office: Office) -> dict[str, object]:
    """Bundles with forecasts for the newest session, each with a mark that moves with them."""
    # Asked first, and named: the planner then knows how few rows one session has.
    reach = "SELECT max(session) AS session FROM predictions WHERE universe = %s AND target = %s"
    where = (office.universe, office.target)
    session = store.query(reach, where)["session"][0].as_py()
    rows = store.query(_FORECASTERS, (*where, session)).to_pylist()
    return {row["bundle"]: row["n"] for row in rows}


def newest(store: Store, champion: Champion) -> Mapping[str, Row]:
    """The newest forecast of each symbol by that champion."""
    rows = store.query(_NEWEST, 3 * (champion.bundle, champion.target)).to_pylist()
    # A symbol that changed hands belongs to whom it was used for last.
    rows.sort(key=lambda row: row["as_of"])
    return MappingProxyType({row["symbol"]: MappingProxyType(row) for row in rows})


def decided_by(
    store: Store, bundle: str, symbols: Sequence[str], as_of: datetime
) -> Mapping[str, Row]:
    """The newest forecast of each symbol by that bundle, decided at or before `as_of`."""
    rows = store.query(_DECIDED, (list(symbols), bundle, as_of))
    return {row["symbol"]: row for row in rows.to_pylist()}


def data_origin(store: Store) -> str:
    """Whether this database holds simulated or real facts; `unknown` while it is empty."""
    found = store.query("SELECT origin FROM loads LIMIT 1")["origin"].to_pylist()
    return str(found[0]) if found else "unknown"
