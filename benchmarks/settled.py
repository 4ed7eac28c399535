"""Settled rows as a store's matrix has them, of bars that never were in a store."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from features.inputs.index import level_of
from features.label import Label
from features.panel.panel import Panel
from training.forecast import Floats
from training.samples.samples import Samples, from_matrix

Times: TypeAlias = NDArray[np.datetime64]

_MOMENT = pa.timestamp("us", "UTC")


def panel_of(
    bars: pl.DataFrame,
    columns: Callable[[pl.DataFrame], Mapping[str, Floats]],
    closes: Callable[[Times], Times],
) -> Panel:
    """The panel of one exchange: a row for each bar, none where there is none.

    bars: `symbol` and `session`, in that order, and what `columns` makes panel columns of, symbol
    by symbol. closes: when decisions of sessions (days,) are taken. A first bar has no return of
    the index; after sessions without a bar it is that of all of them, as `features` has it.
    """
    parts = bars.partition_by("symbol", maintain_order=True)
    made = [columns(part) for part in parts]
    joined = {name: np.concatenate([one[name] for one in made]) for name in made[0]}
    session = bars["session"].to_numpy().astype("datetime64[D]")
    days, place = np.unique(session, return_inverse=True)
    first = (bars["symbol"] != bars["symbol"].shift()).fill_null(True).to_numpy()
    level = level_of(place, _since_before(joined["total"], first), len(days))
    joined["index_return"] = _since_before(level[place], first)
    return Panel(
        columns=joined,
        offsets=np.cumsum([0, *map(len, parts)]),
        instruments=tuple(part["symbol"][0] for part in parts),
        ended=np.full(len(parts), np.datetime64("NaT", "us")),
        session=session,
        as_of=closes(days).astype("datetime64[us]")[place],
        decided=np.ones(len(session), bool),
    )


def matrix_of(
    panel: Panel, features: Mapping[str, NDArray[np.floating]], label: Label, behind: int = 0
) -> pa.Table:
    """Features and truths as `load_matrix` gives them; without a truth are the first `behind` rows
    of each instrument, which are there to look back on."""
    outcome = label.settle(panel, label.basis(panel))
    names = np.array(panel.instruments)[panel.segment]
    unknown = ~outcome.settled | (panel.place < behind)

    def told(values: NDArray[np.generic]) -> pa.Array:
        return pa.array(values, from_pandas=True, mask=unknown)

    value = np.nan_to_num(outcome.value).astype(np.int64) if label.classes else outcome.value
    beside = label.beside(panel)
    return pa.table(
        {
            "instrument_id": names,
            "symbol": names,
            "session": pa.array(panel.session, pa.date32()),
            "as_of": pa.array(panel.as_of).cast(_MOMENT),
            **{name: pa.array(values, from_pandas=True) for name, values in features.items()},
            "label": told(value),
            "settled_at": told(outcome.settled_at).cast(_MOMENT),
            "total_return": told(outcome.total_return),
            "delisted": told(outcome.delisted),
            "ambiguous": told(outcome.ambiguous),
            **{name: pa.array(values, from_pandas=True) for name, values in beside.items()},
        }
    )


def samples_of(
    panel: Panel, features: Mapping[str, NDArray[np.floating]], label: Label, behind: int = 0
) -> Samples:
    """The settled rows of that matrix, of those features."""
    return from_matrix(matrix_of(panel, features, label, behind), tuple(features))


def _since_before(levels: Floats, first: NDArray[np.bool_]) -> Floats:
    found = np.append(np.nan, levels[1:] / levels[:-1] - 1.0)
    found[first] = np.nan
    return found
