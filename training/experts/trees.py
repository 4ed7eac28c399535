"""Gradient boosted trees (XGBoost): softmax over classes, one number, or its quantiles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from training.bundle.models.boosted import Boosted
from training.expert import Expert, Span, expert
from training.forecast import Classes, Floats, Head, Quantiles, Value
from training.samples.binned import binned
from training.samples.folds import inner_split
from training.samples.samples import Samples

if TYPE_CHECKING:
    from xgboost import Booster, DMatrix

# What is learnt of a mean above 0 must be so itself; how little, moves no tree.
_LEAST = float(np.finfo(np.float32).tiny)


@expert("xgboost", heads=(Classes, Value, Quantiles), libraries=("xgboost", "numpy"))
@dataclass(frozen=True)
class Trees(Expert[Boosted]):
    """rounds: upper bound on the trees per number; `patience` rounds without gain end it earlier.

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
        taught = samples.with_truth(_means(samples, head))
        parameters = self._parameters() | _objective(head, taught)
        rounds = self._best_rounds(parameters, taught)
        return Boosted(self._train(parameters, taught, rounds), head)

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

    def _parameters(self) -> dict[str, Any]:
        return {
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

    def _start(self, part: Samples) -> Floats | None:  # noqa: ARG002
        # Scores (n, width) that the first tree adds to, where a member has any.
        return None

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

        given = binned(samples, self._start)
        # Early stopping ends silently where there is nothing to watch.
        extra: dict[str, Any] = {}
        if watched is not None:
            watching = binned(watched, self._start, given)
            extra = {"evals": [(watching, "inner")], "verbose_eval": False}
            extra["early_stopping_rounds"] = self.patience
            if "eval_metric" not in parameters:
                extra["custom_metric"] = _deviance
        return xgboost.train(dict(parameters), given, rounds, **extra)


def _means(samples: Samples, head: Head) -> Floats:
    if not isinstance(head, Value):
        return samples.truth
    powers = samples.truth.astype(np.float64) ** head.moment
    return np.maximum(powers, _LEAST) if head.link == "log" else powers


def _objective(head: Head, taught: Samples) -> dict[str, Any]:
    if isinstance(head, Quantiles):
        losses = {"objective": "reg:quantileerror", "eval_metric": "quantile"}
        return losses | {"quantile_alpha": list(head.levels)}
    if not isinstance(head, Value):
        named = {"objective": "multi:softprob", "eval_metric": "mlogloss"}
        return named | {"num_class": head.width}
    start = {"base_score": float(taught.truth.mean())}
    if head.link == "identity":
        return start | {"objective": "reg:squarederror", "eval_metric": "rmse"}
    # The gamma deviance of means is their QLIKE. XGBoost's own metrics of it add 1e-6 to what they
    # compare, which is as much as small variances are.
    return start | {"objective": "reg:gamma", "disable_default_eval_metric": True}


def _deviance(said: Floats, given: "DMatrix") -> tuple[str, float]:
    wide = np.asarray(said, dtype=np.float64)
    return "deviance", float(np.mean(given.get_label() / wide + np.log(wide)))
