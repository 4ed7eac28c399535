"""Two bidirectional LSTM layers with attention (Keras 3 on torch), of quantiles in volatilities."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from training.attention import Shape, export, network, pinball_of
from training.bundle.model import Model
from training.bundle.models.network import Network
from training.bundle.models.scaled import Scaled
from training.bundle.scaler import Scaler
from training.conformal import Conformal
from training.expert import Expert, Span, expert
from training.forecast import Floats, Head, Quantiles, Values
from training.network import batches, keras
from training.objectives.return_ import SCALE
from training.samples.folds import inner_split
from training.samples.samples import Samples

if TYPE_CHECKING:
    from keras import Model as Keras

_LIBRARIES = ("keras", "torch", "onnx", "onnxruntime", "crepes", "numpy")


@dataclass(frozen=True)
class Attentive(Model):
    """The network and the scaler of what it is given; as files it is an ONNX graph of both."""

    scaler: Scaler
    model: "Keras"
    window: int
    head: Head

    def forecast(self, values: Values) -> Floats:
        """Quantiles."""
        if not len(values):
            return np.empty((0, self.head.width))
        inputs = self.scaler.apply(values[:, -self.window :]).astype(np.float32)
        return self.head.from_means(self.model.predict_on_batch(inputs))

    def files(self) -> Mapping[str, bytes]:
        """One ONNX file from raw windows to quantiles: the scaler is part of the graph."""
        return {Network.file: export(self.model, self.scaler, self.window)}

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> NoReturn:
        """What it is read back as is a Network."""
        raise NotImplementedError(f"{cls.__name__} is read as {Network.__name__}")


@expert("bilstm", heads=(Quantiles,), libraries=_LIBRARIES)
@dataclass(frozen=True)
class Bilstm(Expert[Scaled]):
    """Two layers of `first` and `second` units each way, `attention` heads, a `dense` layer.

    epochs: upper bound; the weights are those of the epoch with the smallest loss on the newest
    `inner` share of the sessions that teach, and `patience` epochs without a smaller one end the
    training. calibration: share of the newest sessions of all, which mend the quantiles and teach
    nothing. scale: the feature in whose units everything is learnt; power: how far these follow it.
    """

    window: int = 60
    first: int = 128
    second: int = 64
    attention: int = 4
    dense: int = 128
    dropout: float = 0.2
    learning_rate: float = 1e-3
    decay: float = 1e-3
    batch: int = 512
    epochs: int = 20
    patience: int = 4
    inner: float = 0.2
    seed: int = 7
    calibration: float = 0.25
    scale: str = SCALE
    power: float = 1.0

    def fit(self, samples: Samples, head: Head) -> Scaled:
        """A network, the same one for the same samples and seed."""
        assert isinstance(head, Quantiles)
        conformal = Conformal(self.scale, self.calibration, self.window, self.power)
        return conformal.fit(lambda older: self._learn(older, head), samples, head)

    def _learn(self, samples: Samples, head: Quantiles) -> Attentive:
        samples.require_trainable()
        older, newest = inner_split(samples, self.inner)
        scaler = Scaler.fit(older.values)
        return Attentive(scaler, self._train(scaler, older, newest, head), self.window, head)

    def _train(self, scaler: Scaler, older: Samples, newest: Samples, head: Quantiles) -> "Keras":
        library = keras(self.seed)
        layers = (self.first, self.second, self.attention, self.dense)
        shape = Shape(self.window, len(scaler.mean), *layers, self.dropout)
        model = network(library, shape, np.quantile(older.truth, head.levels))
        model.compile(
            library.optimizers.AdamW(self.learning_rate, weight_decay=self.decay),
            pinball_of(head.levels),
            jit_compile=False,
        )
        stop = library.callbacks.EarlyStopping(
            patience=self.patience, restore_best_weights=True, start_from_epoch=0
        )
        model.fit(
            batches(older, scaler, self.window, self.batch, self.seed),
            validation_data=batches(newest, scaler, self.window, 4 * self.batch, self.seed),
            epochs=self.epochs,
            callbacks=[stop],
            verbose=0,
        )
        return model

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """How it learns; its layers are as wide as they are declared."""
        return {
            "dropout": Span(0.0, 0.5),
            "learning_rate": Span(3e-4, 3e-3, log=True),
            "decay": Span(1e-5, 1e-2, log=True),
        }
