"""Gradient boosted trees (XGBoost) on what HAR leaves over.

The trees learn the ratio of what came to what HAR said of the same rows: QLIKE knows no unit, so
that the loss of the ratio is that of the product.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from training.bundle.models.product import Product
from training.expert import Expert, Span, expert
from training.experts.har import Har
from training.experts.trees import Trees
from training.forecast import Head, Value
from training.objectives.volatility import FLOOR
from training.samples.samples import Samples


@expert("har_xgboost", heads=(Value,), libraries=("xgboost", "numpy"))
@dataclass(frozen=True)
class HarTrees(Expert[Product]):
    """ridge, floor: HAR's. The rest: that of the expert `xgboost`."""

    threads: ClassVar[bool] = True

    ridge: float = 1e-3
    floor: float = FLOOR
    max_depth: int = 3
    learning_rate: float = 0.03
    min_child_weight: float = 100.0
    subsample: float = 0.6
    colsample_bytree: float = 0.5
    reg_lambda: float = 20.0
    rounds: int = 200
    patience: int = 15

    def fit(self, samples: Samples, head: Head) -> Product:
        """HAR, and a booster of the ratios that it leaves; the same ones for the same samples."""
        own = self.hyperparameters()
        har = Har(ridge=own.pop("ridge"), floor=own.pop("floor"))
        plain = har.fit(samples, head)
        said = har.forecast(plain, samples)[:, 0]
        ratios = np.maximum(samples.truth, self.floor) / said
        trees = Trees(**own).fit(samples.with_truth(ratios), head)
        return Product({"har": plain, "trees": trees}, head)

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """HAR's and the trees'."""
        return {**Har.space(), **Trees.space()}
