"""What a bundle is asked with beside the features of its view: codes, and answers of its parts.

Codes are what the pinned encoder makes of the view's rows. Training hears what parts said out of
sample (`training.run.heard`), a contest and the batch what the pinned bundles answer: the same
columns, in the same place.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from contracts.cut import Cut
from contracts.registry import UnknownMember
from contracts.store import Store
from training.bundle.bundle import load
from training.bundle.codes import PLACE, with_codes
from training.bundle.history import History, lookback
from training.bundle.manifest import BundleError, Manifest
from training.bundle.model import ModelError
from training.bundle.text_model import text_model
from training.part import SEPARATOR

if TYPE_CHECKING:
    from training.forecast import Floats

ROW = ("instrument_id", "as_of")
_BATCH = 4096

Lost = Callable[[str, Exception], None]


def with_answers(
    store: Store, cut: Cut, manifest: Manifest, matrix: pa.Table, lost: Lost | None = None
) -> pa.Table:
    """The matrix of a cut with the codes of the manifest's encoder, if it has one, and with what
    its parts answer to its decisions, if it has any.

    Matrices that a part's view lacks are written. lost: hears of a part that will not answer again,
    being gone or not of this code, all of whose answers are null then; without it that is raised.
    What somebody can mend (texts unscored, a database that is away) is raised in any case.
    """
    if manifest.encoder:
        matrix = with_codes(matrix, manifest.encoder, manifest.view_hash)
    for name, bundle in manifest.parts.items():
        try:
            said = answers_of(store, cut, name, bundle)
        except (BundleError, ModelError, UnknownMember, FileNotFoundError) as error:
            if lost is None:
                raise
            lost(name, error)
            said = None
        own = [f for f in manifest.features if f.partition(SEPARATOR)[0] == name]
        matrix = beside(matrix, nothing(own) if said is None else said, "left")
    return matrix


def of_view(feature: str) -> bool:
    """Whether an input is a feature of the view: no answer of a part, no code."""
    return SEPARATOR not in feature and PLACE not in feature


def answers_of(store: Store, cut: Cut, name: str, bundle: str) -> pa.Table:
    """What a stored bundle answers to the cut's decisions, as columns `name.column`, by ROW."""
    from features.matrix.matrix import load_features
    from features.view import view

    part = load(bundle)
    part.require_view()
    manifest, chosen = part.manifest, view(part.manifest.view)
    wide = cut.since(cut.first - lookback(manifest.window, chosen.interval))
    found = load_features(store, wide, chosen, text_model(store, manifest), missing="write")
    whole, history = History.of_matrix(
        with_answers(store, wide, manifest, found), manifest.features
    )
    rows = np.flatnonzero(history.days >= np.datetime64(cut.first, "D"))
    part.require_units(history.values[rows])
    said = [
        part.forecast(history.windows(rows[start : start + _BATCH], manifest.window))
        for start in range(0, max(len(rows), 1), _BATCH)
    ]
    key = whole.select(list(ROW)).take(pa.array(rows))
    return named(key, name, manifest.asked.columns, np.concatenate(said))


def named(key: pa.Table, part: str, columns: tuple[str, ...], values: "Floats") -> pa.Table:
    """ROW with a part's answers (n, columns), float32, under the names that a gate knows."""
    for column, each in zip(columns, values.astype(np.float32).T, strict=True):
        key = key.append_column(f"{part}{SEPARATOR}{column}", pa.array(each))
    return key


def nothing(columns: list[str]) -> pa.Table:
    """The answers of who says nothing."""
    time = pa.timestamp("us", "UTC")
    fields = [("instrument_id", pa.string()), ("as_of", time)]
    return pa.schema([*fields, *((name, pa.float32()) for name in columns)]).empty_table()


def beside(matrix: pa.Table, said: pa.Table, how: Literal["left", "inner"]) -> pa.Table:
    """The matrix with the columns of `said` by ROW; its other columns keep their types."""
    import polars as pl

    keys = pl.DataFrame(matrix.select(list(ROW))).with_row_index("row")
    right = pl.DataFrame(said).cast({"as_of": keys.schema["as_of"]})
    both = keys.join(right, on=ROW, how=how, maintain_order="left")
    found = matrix.take(both["row"].to_arrow())
    for name in said.column_names:
        if name not in ROW:
            found = found.append_column(name, both[name].to_arrow().cast(pa.float32()))
    return found
