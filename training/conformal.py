"""Quantiles that hold what they say: split conformal, in units of each row's own volatility.

Papadopoulos, Gammerman and Vovk (2008), "Normalized nonconformity measures": what lies between
truth and forecast is divided by how hard the row is, so that calm and storm are covered alike, and
what is said widens as soon as volatility rises. Each quantile is moved by itself, as in the
asymmetric form of Romano, Patterson and Candes (2019), "Conformalized quantile regression".
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.bundle.model import Model
from training.bundle.models.scaled import Scaled, scales
from training.forecast import Floats, Quantiles, typical
from training.objective import Truth
from training.samples.folds import inner_split
from training.samples.samples import Samples

_PERCENT = 100.0


@dataclass(frozen=True)
class Conformal:
    """scale: the feature in whose units is learnt. share: of the newest sessions that calibrate.

    window: rows up to a decision that the model looks at. power: how far the scale follows.
    """

    scale: str
    share: float
    window: int = 1
    power: float = 1.0

    def fit(self, learn: Callable[[Samples], Model], samples: Samples, head: Quantiles) -> Scaled:
        """What is learnt from the older rows, mended on the newest, which it has not seen.

        learn: a model of truths in units of the scale. The rows are purged by settlement. Raises
        TrainingError without the scale, and what `learn` raises of too few rows.
        """
        samples.require_trainable()
        usual = typical(samples.column(self.scale))
        older, newest = (
            part.with_truth(part.truth / scales(part.column(self.scale), usual, self.power))
            for part in inner_split(samples, self.share)
        )
        inner = learn(older)
        said = newest.answers(self.window, inner.forecast)
        place = samples.features.index(self.scale)
        moved = shifts(newest.truth, said, head)
        return Scaled(inner, moved, place, usual, head, self.power)


def shifts(truth: Truth, said: Floats, head: Quantiles) -> Floats:
    """By what each quantile `said` (n, levels) is to be moved, (levels,).

    So that the next truth lies below it as often as its level says: at most so for the lower
    levels, at least so for the others. Where n tells nothing of a level, as far as any truth lay.
    """
    from crepes import ConformalPredictiveSystem

    found = []
    for level, quantile in zip(head.levels, said.T, strict=True):
        apart = truth - quantile
        side = "lower" if level < 0.5 else "higher"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there are too few: the ends are given
            shift = (
                ConformalPredictiveSystem()
                .fit(apart)
                .predict_percentiles(
                    np.zeros(1),
                    **{f"{side}_percentiles": [_PERCENT * level]},
                    y_min=apart.min(),
                    y_max=apart.max(),
                )
            )
        found.append(float(np.ravel(shift)[0]))
    return np.array(found)
