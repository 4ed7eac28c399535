"""Rows as XGBoost takes them to train on: binned batch by batch, their values copied nowhere."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from training.forecast import Floats
from training.samples.samples import Samples

if TYPE_CHECKING:
    from xgboost import QuantileDMatrix

BATCH = 65_536


def binned(
    samples: Samples,
    start: Callable[[Samples], Floats | None] | None = None,
    like: "QuantileDMatrix | None" = None,
) -> "QuantileDMatrix":
    """The samples and their truth; the same bins as of all rows in one array.

    start: scores (n, width) of rows that the first tree adds to. like: whose bins are taken.
    """
    import xgboost

    class Batches(xgboost.DataIter):  # type: ignore[misc]
        def __init__(self) -> None:
            self.place = 0
            super().__init__()

        def reset(self) -> None:
            self.place = 0

        def next(self, input_data: Callable[..., Any]) -> bool:
            if self.place >= len(samples):
                return False
            part = samples.take(np.arange(self.place, min(self.place + BATCH, len(samples))))
            margin = start(part) if start else None
            input_data(data=part.values, label=part.truth, base_margin=margin)
            self.place += BATCH
            return True

    return xgboost.QuantileDMatrix(Batches(), missing=np.nan, nthread=1, ref=like)
