"""The quantiles of training, in units of each row's volatility where that suits it better."""

from dataclasses import dataclass

import numpy as np

from training.bundle.model import Model
from training.bundle.models.constant import Constant
from training.bundle.models.scaled import Scaled
from training.expert import Expert, expert
from training.forecast import Head, Quantiles, positive, typical
from training.objectives.return_ import SCALE, pinball
from training.samples.samples import Samples


@expert("unconditional", heads=(Quantiles,), libraries=("numpy",))
@dataclass(frozen=True)
class Unconditional(Expert[Model]):
    """scale: the feature in whose units they may be."""

    scale: str = SCALE

    def fit(self, samples: Samples, head: Head) -> Model:
        """Quantiles (width,); of other heads there are none to take."""
        assert isinstance(head, Quantiles)
        samples.require_trainable()
        truth, levels = samples.truth, head.levels
        values = samples.column(self.scale)
        own = positive(values, typical(values))
        plain, scaled = np.quantile(truth, levels), np.quantile(truth / own, levels)
        told = own[:, None] * scaled
        if pinball(told, truth, levels).mean() >= pinball(plain[None], truth, levels).mean():
            return Constant(plain, head)
        place = samples.features.index(self.scale)
        units = Constant(scaled, head)
        return Scaled(units, np.zeros(head.width), place, typical(values), head)
