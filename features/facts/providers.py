"""Which provider's word counts where several tell of the same thing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from contracts.store import Store
from contracts.table import Table
from contracts.universe import Universe


@dataclass(frozen=True)
class Providers:
    """Who tells, the best first.

    named: table -> providers, as a universe names them. seen: who comes after them, in this order;
    who is in neither comes last, by name.
    """

    named: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seen: Sequence[str] = ()

    def best(self, table: Table, frame: pl.DataFrame, key: Sequence[str] = ()) -> pl.DataFrame:
        """Without the versions of which a better provider had told its own by then.

        So the newest version known at any moment is the best provider's that had told of it. key:
        the columns that say what a row is about; default: the table's, without its provider.
        Tables in which providers do not tell of the same things stay as they are.
        """
        if table.key[-1] != "source" or frame["source"].n_unique() < 2:
            return frame
        about = list(key) or list(table.key[:-1])
        told = sorted(set(frame["source"]))
        order = list(dict.fromkeys([*self.named.get(table.name, ()), *self.seen, *told]))
        rank = pl.col("source").replace_strict(order, range(len(order)), return_dtype=pl.Int64)
        ranked = frame.with_columns(rank=rank)
        first = ranked.group_by(*about, "rank").agg(pl.col("known_at").min()).sort("rank")
        before = pl.col("known_at").cum_min().shift(1).over(about, order_by="rank")
        better = first.with_columns(better=before).drop("known_at")
        joined = ranked.join(
            better, on=[*about, "rank"], how="left", nulls_equal=True, maintain_order="left"
        )
        shadowed = (pl.col("better") <= pl.col("known_at")).fill_null(False)
        return joined.filter(~shadowed).drop("rank", "better")


def providers(store: Store, universe: Universe, loads: Sequence[int], snapshot: int) -> Providers:
    """The universe's own order, then who named its members, then whoever loaded first.

    loads: those in which its members were named.
    """
    found = store.query(
        "SELECT source FROM loads WHERE load_id <= %s GROUP BY source "
        "ORDER BY min(load_id) FILTER (WHERE load_id = ANY(%s)), min(load_id)",
        [snapshot, list(loads)],
    )
    return Providers(universe.sources, [str(source) for source in found["source"].to_pylist()])
