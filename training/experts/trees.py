"""Gradient boosted trees (XGBoost), softmax over classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from training.bundle.models.boosted import Boosted
from training.expert import Expert, Span, expert
from training.forecast import Classes, Head
from training.samples.folds import inner_split
from training.samples.samples import Samples

if TYPE_CHECKING:
    from xgboost import Booster


@expert("xgboost", heads=(Classes,), libraries=("xgboost", "numpy"))
@dataclass(frozen=True)
class Trees(Expert[Boosted]):
    """rounds: upper bound on the trees per class; `patience` rounds without gain end it earlier.

    How many rounds are kept is decided on the newest `inner` share of the training sessions,
    purged by settlement; then all training rows are fitted with that many.
    """

    threads: ClassVar[bool] = True

    max_depth: int = 2
    learning_rate: float = 0.03
    min_child_weight: float = 100.0
    subsample: float = 0.6
    colsample_bytree: float = 0.5
    reg_lambda: float = 20.0
    rounds: int = 200
    patience: int = 15
    inner: float = 0.2
    seed: int = 7

    def fit(self, samples: Samples, head: Head) -> Boosted:
        """A booster, the same one for the same samples and seed."""
        samples.require_trainable()
        parameters = self._parameters(head)
        rounds = self._best_rounds(parameters, samples)
        return Boosted(self._train(parameters, samples, rounds), head)

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """Small trees, slow to fast."""
        return {
            "max_depth": Span(2, 5, whole=True),
            "learning_rate": Span(0.02, 0.2, log=True),
            "min_child_weight": Span(5, 200, log=True),
            "subsample": Span(0.5, 1.0),
            "colsample_bytree": Span(0.5, 1.0),
            "reg_lambda": Span(0.5, 50, log=True),
        }

    def _parameters(self, head: Head) -> dict[str, Any]:
        return {
            "objective": "multi:softprob",
            "num_class": head.width,
            "eval_metric": "mlogloss",
            "tree_method": "hist",
            "nthread": 1,
            "max_depth": self.max_depth,
            "learning_rate": self.learning_rate,
            "min_child_weight": self.min_child_weight,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample_bytree,
            "reg_lambda": self.reg_lambda,
            "seed": self.seed,
        }

    def _best_rounds(self, parameters: Mapping[str, Any], samples: Samples) -> int:
        older, newest = inner_split(samples, self.inner)
        if not len(older):
            return self.rounds
        return int(self._train(parameters, older, self.rounds, newest).best_iteration) + 1

    def _train(
        self,
        parameters: Mapping[str, Any],
        samples: Samples,
        rounds: int,
        watched: Samples | None = None,
    ) -> "Booster":
        import xgboost

        # Binned as it is read: no second copy of the values, and the same trees.
        def matrix(
            part: Samples, like: xgboost.QuantileDMatrix | None = None
        ) -> xgboost.QuantileDMatrix:
            return xgboost.QuantileDMatrix(
                part.values, label=part.truth, missing=np.nan, nthread=1, ref=like
            )

        given = matrix(samples)
        # Early stopping ends silently where there is nothing to watch.
        extra: dict[str, Any] = {}
        if watched is not None:
            extra = {"evals": [(matrix(watched, given), "inner")], "verbose_eval": False}
            extra["early_stopping_rounds"] = self.patience
        return xgboost.train(dict(parameters), given, rounds, **extra)
