"""Boosted trees (XGBoost) on the last row of each window."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from training.bundle.model import Model, model
from training.forecast import Floats, Head, Values

if TYPE_CHECKING:
    from xgboost import Booster


@model("model.ubj")
@dataclass(frozen=True)
class Boosted(Model):
    """A booster that knows its own link: what it predicts are means, and its margins scores."""

    method: ClassVar[str] = "tree_shap"

    booster: "Booster"
    head: Head

    def forecast(self, values: Values) -> Floats:
        """What the trees say; nulls in the values are NaN."""
        if not len(values):
            return np.empty((0, self.head.width))
        return self.head.from_means(self.booster.inplace_predict(last(values), missing=np.nan))

    def explain(
        self,
        values: Values,
        typical: Values,  # noqa: ARG002
        start: Floats | None = None,
    ) -> Floats:
        """SHAP contributions of the trees (Lundberg et al. 2020), exact, on their margins.

        start: the scores (n, width) that they add to, where they do.
        """
        from xgboost import DMatrix

        shape = (len(values), self.head.width, values.shape[2] + 1)
        if not len(values):
            return np.empty(shape)
        given = DMatrix(last(values), base_margin=start, missing=np.nan, nthread=1)
        found = self.booster.predict(given, pred_contribs=True)
        return np.asarray(found, dtype=np.float64).reshape(shape)

    def files(self) -> Mapping[str, bytes]:
        """One UBJ file."""
        return {self.file: bytes(self.booster.save_raw("ubj"))}

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The booster, on one core."""
        from xgboost import Booster

        booster = Booster({"nthread": 1})
        booster.load_model(bytearray(files[cls.file]))
        return cls(booster, head)


def last(values: Values) -> Values:
    """The last row of each window, as XGBoost takes them."""
    return np.ascontiguousarray(values[:, -1])
