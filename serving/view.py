"""What the predictor serves at one moment: one checked champion and its forecasts, immutable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from contracts.champion import Champion
from contracts.store import Store
from training.bundle import Manifest

Row = Mapping[str, Any]

_SERVED = (
    "symbol, instrument_id, session, horizon, p_down, p_neutral, p_up, signal, as_of, "
    "snapshot, bundle, prediction_id, origin, issued_at"
)


@dataclass(frozen=True)
class View:
    """A champion whose bundle passed its checks, and the newest forecast of each symbol."""

    champion: Champion
    manifest: Manifest
    data_origin: str
    newest: Mapping[str, Row] = field(repr=False)

    def answer(self, row: Row, now: datetime) -> dict[str, Any]:
        """A stored prediction as it is told to a caller."""
        age = (now - row["as_of"]).total_seconds()
        named = {"model_version": self.champion.model_version, "data_origin": self.data_origin}
        return {**row, **named, "data_age_seconds": age}


def forecasters(store: Store, universe: str) -> dict[str, object]:
    """Bundles with forecasts for the newest session, each with a mark that moves with them."""
    rows = store.query(
        "SELECT bundle, count(*) AS n, max(issued_at) AS at FROM predictions WHERE universe = %s "
        "AND bundle IN (SELECT bundle FROM predictions WHERE universe = %s AND session = "
        "(SELECT max(session) FROM predictions WHERE universe = %s)) GROUP BY bundle",
        (universe, universe, universe),
    )
    return {row["bundle"]: (row["n"], row["at"]) for row in rows.to_pylist()}


def newest(store: Store, bundle: str) -> Mapping[str, Row]:
    """The newest forecast of each symbol by that bundle."""
    rows = store.query(
        f"SELECT DISTINCT ON (instrument_id) {_SERVED} FROM predictions WHERE bundle = %s "
        "ORDER BY instrument_id, as_of DESC, snapshot DESC",
        (bundle,),
    ).to_pylist()
    # A symbol that changed hands belongs to whom it was used for last.
    rows.sort(key=lambda row: row["as_of"])
    return MappingProxyType({row["symbol"]: MappingProxyType(row) for row in rows})


def decided_by(
    store: Store, bundle: str, symbols: Sequence[str], as_of: datetime
) -> Mapping[str, Row]:
    """The newest forecast of each symbol by that bundle, decided at or before `as_of`."""
    rows = store.query(
        f"SELECT DISTINCT ON (symbol) {_SERVED} FROM predictions WHERE bundle = %s "
        "AND symbol = ANY(%s) AND as_of <= %s ORDER BY symbol, as_of DESC, snapshot DESC",
        (bundle, list(symbols), as_of),
    )
    return {row["symbol"]: row for row in rows.to_pylist()}


def data_origin(store: Store) -> str:
    """Whether this database holds simulated or real facts; `unknown` while it is empty."""
    found = store.query("SELECT origin FROM loads LIMIT 1")["origin"].to_pylist()
    return str(found[0]) if found else "unknown"
