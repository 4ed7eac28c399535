"""Boosted trees of quantiles in units of volatility, mended so that they hold what they say."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from training.bundle.models.scaled import Scaled
from training.conformal import Conformal
from training.expert import Expert, Span, expert
from training.experts.trees import Trees
from training.forecast import Head, Quantiles
from training.objectives.return_ import SCALE
from training.samples.samples import Samples


@expert("quantile_trees", heads=(Quantiles,), libraries=("xgboost", "crepes", "numpy"))
@dataclass(frozen=True)
class QuantileTrees(Expert[Scaled]):
    """Trees as `xgboost` has them, a tree per quantile and round; see there for the others.

    calibration: share of the newest sessions that teach the trees nothing and mend the quantiles.
    scale: the feature in whose units everything is learnt; power: how far these follow it.
    """

    threads: ClassVar[bool] = True

    max_depth: int = 3
    learning_rate: float = 0.1
    min_child_weight: float = 100.0
    subsample: float = 0.6
    colsample_bytree: float = 0.5
    reg_lambda: float = 1.0
    rounds: int = 100
    patience: int = 10
    inner: float = 0.2
    seed: int = 7
    calibration: float = 0.25
    scale: str = SCALE
    power: float = 1.0

    def fit(self, samples: Samples, head: Head) -> Scaled:
        """Trees, the same ones for the same samples and seed."""
        assert isinstance(head, Quantiles)
        trees = Trees(**{one.name: getattr(self, one.name) for one in fields(Trees)})
        conformal = Conformal(self.scale, self.calibration, power=self.power)
        return conformal.fit(lambda older: trees.fit(older, head), samples, head)

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """That of the trees."""
        return Trees.space()
