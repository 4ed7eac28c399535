"""Quantile trees (XGBoost) for tails, on what filtered historical simulation leaves over.

The trees set out from the quantiles of all losses in units of the scale that was foretold, and
learn by how much each is larger or smaller, in logarithms; an expected shortfall is learnt as the
quantile that it is of a normal law. What is then wrong on the newest training sessions is mended by
a factor for each number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from training.bundle.models.boosted_scores import BoostedScores
from training.bundle.models.loglinear import LogLinear
from training.bundle.models.product import Product
from training.expert import Expert, Span, expert
from training.experts.filtered_simulation import FilteredSimulation
from training.forecast import Floats, Head, Tails
from training.objectives.risk import HEAD, losses_of, right
from training.samples.binned import binned
from training.samples.folds import inner_split
from training.samples.samples import MINIMUM_ROWS, Samples

if TYPE_CHECKING:
    from xgboost import Booster

# Of value at risk, then the chances that a normal law's shortfalls are not exceeded with.
QUANTILES = (*HEAD.levels, 0.9804, 0.9962)


@expert("tail_xgboost", heads=(Tails,), libraries=("xgboost", "numpy"))
@dataclass(frozen=True)
class TailTrees(Expert[Product]):
    """rounds: trees per number at most; how many are kept, and the factors, are decided on the
    newest `inner` share of the training sessions. Then all training rows are fitted.
    """

    threads: ClassVar[bool] = True

    ridge: float = 1e-3
    max_depth: int = 2
    learning_rate: float = 0.1
    min_child_weight: float = 100.0
    subsample: float = 0.6
    colsample_bytree: float = 0.5
    reg_lambda: float = 20.0
    rounds: int = 60
    patience: int = 8
    inner: float = 0.2
    seed: int = 7

    def fit(self, samples: Samples, head: Head) -> Product:
        """The scale, and a booster of quantiles over it; the same ones for the same samples."""
        samples.require_trainable()
        older, newest = inner_split(samples, self.inner)
        if len(older) < MINIMUM_ROWS:
            older = newest = samples
        scale = FilteredSimulation(ridge=self.ridge).scale(older, head)
        start = np.quantile(self._left(scale, older), QUANTILES)
        tried = self._train(scale, older, start, newest)
        rounds = int(tried.best_iteration) + 1
        plain = BoostedScores(tried[:rounds], head, tuple(start.tolist()))
        said = self.forecast(Product({"scale": scale, "trees": plain}, head), newest)
        shift = start + np.log(right(said, newest.truth))
        whole = FilteredSimulation(ridge=self.ridge).scale(samples, head)
        kept = replace(self, rounds=rounds)._train(whole, samples, start)
        trees = BoostedScores(kept, head, tuple(shift.tolist()))
        return Product({"scale": whole, "trees": trees}, head)

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """Small trees, slow to fast."""
        return {
            "max_depth": Span(1, 4, whole=True),
            "learning_rate": Span(0.03, 0.3, log=True),
            "min_child_weight": Span(20, 500, log=True),
            "reg_lambda": Span(0.5, 50, log=True),
        }

    def _train(
        self, scale: LogLinear, samples: Samples, start: Floats, watched: Samples | None = None
    ) -> "Booster":
        import xgboost

        def start_of(part: Samples) -> Floats:
            return np.tile(start, (len(part), 1))

        given = binned(self._left_over(scale, samples), start_of)
        extra: dict[str, Any] = {}
        if watched is not None:
            watching = binned(self._left_over(scale, watched), start_of, given)
            extra = {"evals": [(watching, "inner")], "verbose_eval": False}
            extra["early_stopping_rounds"] = self.patience
        return xgboost.train(self._parameters(), given, self.rounds, **extra)

    def _left_over(self, scale: LogLinear, part: Samples) -> Samples:
        return part.with_truth(self._left(scale, part))

    def _left(self, scale: LogLinear, part: Samples) -> Floats:
        said = part.answers(1, scale.forecast)[:, 0]
        return np.asarray(np.log(losses_of(part.truth) / said))

    def _parameters(self) -> dict[str, Any]:
        own = self.hyperparameters()
        kept = ("max_depth", "learning_rate", "min_child_weight", "subsample", "colsample_bytree")
        return {
            "objective": "reg:quantileerror",
            "quantile_alpha": list(QUANTILES),
            "base_score": 0.0,
            "tree_method": "hist",
            "nthread": 1,
            "reg_lambda": self.reg_lambda,
            "seed": self.seed,
            **{name: own[name] for name in kept},
        }
