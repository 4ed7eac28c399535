"""The prices at which decisions were taken: matrices hold none, since they know no scale."""

import polars as pl
import pyarrow as pa

from contracts.cut import Cut
from contracts.store import Store
from features.facts.facts import PRICES, Request, read
from features.facts.panels import decision_panel
from features.matrix.labelling import KEY, keys_of, own_close
from features.view import FeatureView


def with_closes(store: Store, cut: Cut, view: FeatureView, matrix: pa.Table) -> pa.Table:
    """The matrix with a column `close`: of the cut's decisions, as quoted and known then.

    It is null in rows of sessions outside the cut.
    """
    panel = decision_panel(read(store, Request(cut, 1, PRICES, view.interval)), 1)
    closes = keys_of(panel).with_columns(close=own_close(panel))
    keys = pl.DataFrame(matrix.select(KEY))
    found = keys.join(closes, on=KEY, how="left", maintain_order="left")["close"]
    return matrix.append_column("close", found.to_arrow())
