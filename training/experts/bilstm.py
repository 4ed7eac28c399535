"""Two bidirectional LSTM layers with attention (Keras 3 on torch), of quantiles in volatilities."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.attention import Shape, export, network, pinball_of
from training.bundle.models.scaled import Scaled
from training.conformal import Conformal
from training.expert import Expert, Span, expert
from training.forecast import Head, Quantiles
from training.objectives.return_ import SCALE
from training.samples.samples import Samples
from training.trained import Lessons, Trained

if TYPE_CHECKING:
    from keras import Model as Keras

_LIBRARIES = ("keras", "torch", "onnx", "onnxruntime", "crepes", "numpy")


@expert("bilstm", heads=(Quantiles,), libraries=_LIBRARIES)
@dataclass(frozen=True)
class Bilstm(Lessons, Expert[Scaled]):
    """Two layers of `first` and `second` units each way, `attention` heads, a `dense` layer.

    It is stopped early (`Lessons`) by its pinball loss. calibration: share of the newest sessions
    of all, which mend the quantiles and teach nothing. scale: the feature in whose units everything
    is learnt; power: how far these follow it.
    """

    window: int = 60
    first: int = 128
    second: int = 64
    attention: int = 4
    dense: int = 128
    dropout: float = 0.2
    learning_rate: float = 1e-3
    epochs: int = 20
    patience: int = 4
    calibration: float = 0.25
    scale: str = SCALE
    power: float = 1.0

    def fit(self, samples: Samples, head: Head) -> Scaled:
        """A network, the same one for the same samples and seed."""
        assert isinstance(head, Quantiles)
        conformal = Conformal(self.scale, self.calibration, self.window, self.power)
        return conformal.fit(lambda older: self._learn(older, head), samples, head)

    def _learn(self, samples: Samples, head: Quantiles) -> Trained:
        layers = (self.first, self.second, self.attention, self.dense)

        def build(library: Any, features: int, older: Samples) -> "Keras":
            shape = Shape(self.window, features, *layers, self.dropout)
            return network(library, shape, np.quantile(older.truth, head.levels))

        found = self.teach(samples, self.window, build, pinball_of(head.levels))
        return Trained(*found, self.window, head, export)

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """How it learns; its layers are as wide as they are declared."""
        return {
            "dropout": Span(0.0, 0.5),
            "learning_rate": Span(3e-4, 3e-3, log=True),
            "decay": Span(1e-5, 1e-2, log=True),
        }
