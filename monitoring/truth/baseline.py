"""What champion zero says of rows that another has forecast."""

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from contracts.cut import Cut
from contracts.expected import Expected
from contracts.store import Store, StoreUnavailable
from contracts.universe import universe
from training.bundle import bundle
from training.bundle.bundle import Bundle, manifest_of
from training.bundle.history import History, lookback
from training.bundle.inputs import with_answers
from training.bundle.manifest import BundleError
from training.bundle.models.constant import Constant
from training.bundle.text_model import text_model
from training.forecast import Floats
from training.objective import Objective

log = logging.getLogger(__name__)

_ROW = ["instrument_id", "as_of", "snapshot"]
# Before its columns, where the champion's of the same names stand beside.
_ITS = "zero_"


@dataclass(frozen=True)
class Baseline:
    """Champion zero beside a champion of the same objective; name: that of its expert.

    beside: the bundle of that champion, whose answers the rows hold. missing: whether features of
    it that are not there are written; a service that works nothing out has them refused.
    """

    store: Store
    zero: Bundle
    beside: str
    missing: Literal["refuse", "write"] = "refuse"

    @property
    def name(self) -> str:
        """What it is called beside the champion."""
        return self.zero.manifest.expert

    def answers(self, rows: pl.DataFrame) -> Floats | None:
        """Its answers (n, columns) about rows of (instrument_id, session, as_of, snapshot).

        None where it cannot be asked about all of them: the features of one are not there.
        """
        if self.zero.hash == self.beside:  # To the last digit what it said.
            return rows.select(self.zero.manifest.asked.columns).to_numpy().astype(np.float64)
        if isinstance(self.zero.model, Constant):  # No features are needed.
            return np.tile(self.zero.model.answer, (len(rows), 1))
        try:
            told = pl.concat(self._told(part) for _, part in rows.group_by("snapshot"))
        except StoreUnavailable:
            raise
        except (Expected, FileNotFoundError) as error:
            log.warning("champion zero cannot be asked", extra={"error": str(error)})
            return None
        found = rows.join(told, on=_ROW, how="left", maintain_order="left")
        values = found.select(f"{_ITS}{name}" for name in self.zero.manifest.asked.columns)
        return None if sum(values.null_count().row(0)) else values.to_numpy().astype(np.float64)

    def _told(self, rows: pl.DataFrame) -> pl.DataFrame:
        # Forecasts of a snapshot left its matrix behind, as long as zero's view is made.
        from features.matrix.matrix import load_matrix
        from features.view import view

        manifest, days = self.zero.manifest, rows["session"].unique().sort()
        self.zero.require_view()
        chosen, snapshot = view(manifest.view), rows["snapshot"][0]
        cut = Cut(universe(manifest.universe), days[0], days[-1], snapshot)
        cut = cut.since(days[0] - lookback(manifest.window, chosen.interval))
        pinned = text_model(self.store, manifest)
        matrix = load_matrix(self.store, cut, chosen, pinned, missing=self.missing)
        matrix = with_answers(self.store, cut, manifest, matrix)
        whole, history = History.of_matrix(matrix, manifest.features)
        places = np.arange(whole.num_rows)
        answers = self.zero.forecast(history.windows(places, manifest.window))
        names = [f"{_ITS}{name}" for name in manifest.asked.columns]
        known = pl.DataFrame(whole.select(["instrument_id", "as_of"]))
        asked_at = pl.lit(snapshot, rows.schema["snapshot"]).alias("snapshot")
        return known.with_columns(asked_at).hstack(pl.DataFrame(answers, schema=names))


def baseline(store: Store, newest: str, oldest: str, asked: Objective) -> Baseline | None:
    """The first bundle of a reign beside the newest, where it is the objective's champion zero."""
    try:
        manifest = manifest_of(oldest)
        if (manifest.objective, manifest.expert) == (asked.name, asked.zero):
            return Baseline(store, bundle.load(oldest), newest)
    except (BundleError, FileNotFoundError) as error:
        log.warning("champion zero cannot be asked", extra={"error": str(error)})
    return None
