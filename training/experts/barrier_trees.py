"""Boosted trees (XGBoost) that begin at the chances of two barriers, and learn what holds besides.

What volatility and distance say of a touch, the law says exactly; rows are spent on the rest.
"""

from dataclasses import dataclass, field

from training.bundle.models.barriers import TwoBarriers
from training.bundle.models.corrected import Corrected
from training.expert import Expert, Span, expert
from training.experts.barrier import Barrier
from training.experts.trees import Trees
from training.forecast import Floats, Head, Touches
from training.samples.samples import Samples


@expert("barrier_trees", heads=(Touches,), libraries=("xgboost", "numpy", "scipy"))
@dataclass(frozen=True)
class BarrierTrees(Expert[Corrected]):
    """The fields are those of `xgboost`, which early stopping lets end at no tree that helps."""

    max_depth: int = 3
    learning_rate: float = 0.05
    min_child_weight: float = 50.0
    subsample: float = 0.6
    colsample_bytree: float = 0.5
    reg_lambda: float = 20.0
    rounds: int = 200
    patience: int = 15
    seed: int = 7

    def fit(self, samples: Samples, head: Head) -> Corrected:
        """The law, and the trees upon it."""
        law = Barrier().fit(samples, head)
        trees = _Upon(**self.hyperparameters(), law=law).fit(samples, head)
        return Corrected(law, trees, head)

    @classmethod
    def space(cls) -> dict[str, Span]:
        """That of the trees."""
        return dict(Trees.space())


@dataclass(frozen=True)
class _Upon(Trees):
    law: TwoBarriers = field(kw_only=True)

    def _start(self, part: Samples) -> Floats:
        return self.law.scores(part.values[:, None])
