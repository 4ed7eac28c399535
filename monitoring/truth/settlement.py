"""Joining each forecast with its later truth."""

from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from contracts import verbs
from contracts.cut import Cut
from contracts.store import Store
from contracts.tables import OUTCOMES
from training.bundle import bundle

if TYPE_CHECKING:
    from features.label import Label

# Replays are judged on nine significant digits.
_DIGITS = 9
_ROW = ("instrument_id", "session")
_TRUTH = ("label", "value", "total_return", "delisted", "settled_at")

_ISSUED = """
SELECT prediction_id, bundle, target, instrument_id, session, as_of FROM predictions
WHERE universe = %s AND session BETWEEN %s AND %s
"""
_RECORDED = """
SELECT DISTINCT ON (prediction_id) prediction_id, version, label, value, total_return,
  delisted, settled_at, outcomes.snapshot
FROM outcomes JOIN predictions USING (prediction_id)
WHERE universe = %s AND session BETWEEN %s AND %s
ORDER BY prediction_id, version DESC
"""


def settle(store: Store, cut: Cut, now: datetime) -> int:
    """Record the truth, as of the cut's end, of its sessions' forecasts whose label has matured.

    Returns the rows added. A truth that differs from the one recorded is a new version. One
    recorded at a later snapshot knows better and is left alone. A bundle whose forecasts cannot be
    settled is named, does not stop the others, and its error is raised in the end.
    """
    recorded = _rows(store, _RECORDED, cut)
    issued = {
        f"forecasts of {target} by {str(name)[:12]}": rows
        for (target, name), rows in _rows(store, _ISSUED, cut).group_by("target", "bundle")
    }

    def record(words: str) -> int:
        fresh = _unrecorded(_settled(store, cut, issued[words]), recorded, cut.snapshot)
        stamped = fresh.with_columns(
            pl.lit(cut.snapshot, pl.Int64).alias("snapshot"), pl.lit(now).alias("recorded_at")
        )
        return store.record(OUTCOMES, stamped.select(OUTCOMES.names).to_arrow())

    return sum(verbs.each(sorted(issued), record))


def _settled(store: Store, cut: Cut, issued: pl.DataFrame) -> pl.DataFrame:
    from features.matrix.matrix import load_labels
    from features.view import view

    manifest = bundle.load(issued["bundle"][0]).manifest
    chosen, taught = view(manifest.view), manifest.taught()
    truth = load_labels(store, cut, chosen, taught).filter(pl.col("settled_at") <= cut.end)
    # The session's close may be known otherwise since; a minute is known by itself.
    row = _ROW if chosen.interval == "1d" else (*_ROW, "as_of")
    told = truth.with_columns(**_told(taught.label)).select(*row, *_TRUTH)
    return issued.join(told, on=row).select("prediction_id", *_TRUTH)


def _told(label: "Label") -> dict[str, pl.Expr]:
    # A class stands in one column, a number in the other.
    came = pl.col("label")
    if label.classes:
        return {"value": pl.lit(None, pl.Float64)}
    return {"label": pl.lit(None, pl.Int64), "value": came.cast(pl.Float64)}


def _rows(store: Store, statement: str, cut: Cut) -> pl.DataFrame:
    return pl.DataFrame(store.query(statement, (cut.universe.name, cut.first, cut.last)))


def _unrecorded(settled: pl.DataFrame, recorded: pl.DataFrame, snapshot: int) -> pl.DataFrame:
    both = settled.join(recorded, on="prediction_id", how="left", suffix="_before")
    changed = pl.any_horizontal(_value(n).ne_missing(_value(f"{n}_before")) for n in _TRUTH)
    newer = pl.col("snapshot").is_null() | (pl.col("snapshot") <= snapshot)
    return both.filter(changed & newer).select(
        "prediction_id", *_TRUTH, (pl.col("version").fill_null(0) + 1).alias("version")
    )


def _value(name: str) -> pl.Expr:
    column = pl.col(name)
    return column.round_sig_figs(_DIGITS) if name.startswith(("total_return", "value")) else column
