"""A small recurrent network (Keras 3 on torch) over the newest sessions of an instrument."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from training.bundle.model import Model
from training.bundle.models.network import Network
from training.bundle.scaler import Scaler
from training.expert import Expert, Span, expert
from training.forecast import Classes, Floats, Head, Values, frequencies
from training.network import batches, export, keras
from training.samples.folds import inner_split
from training.samples.samples import Samples

if TYPE_CHECKING:
    from keras import Model as Keras


@dataclass(frozen=True)
class Trained(Model):
    """The network and the scaler of what it is given; as files it is an ONNX graph of both."""

    scaler: Scaler
    model: "Keras"
    window: int
    head: Head

    def forecast(self, values: Values) -> Floats:
        """Softmax probabilities."""
        if not len(values):
            return np.empty((0, self.head.width))
        inputs = self.scaler.apply(values[:, -self.window :]).astype(np.float32)
        return self.head.from_means(self.model.predict_on_batch(inputs))

    def files(self) -> Mapping[str, bytes]:
        """One ONNX file from raw windows to probabilities: the scaler is part of the graph."""
        return {Network.file: export(self.model, self.scaler, self.window)}

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> NoReturn:
        """What it is read back as is a Network."""
        raise NotImplementedError(f"{cls.__name__} is read as {Network.__name__}")


@expert("lstm", heads=(Classes,), libraries=("keras", "torch", "onnx", "onnxruntime", "numpy"))
@dataclass(frozen=True)
class Lstm(Expert[Trained]):
    """One LSTM layer of `units`, dropout, softmax; the sequences are the newest `window` rows.

    epochs: upper bound; the weights are those of the epoch with the smallest log loss on the
    newest `inner` share of the training sessions, purged by settlement, and `patience` epochs
    without a smaller one end the training. Those sessions teach it nothing else.
    """

    window: int = 10
    units: int = 8
    dropout: float = 0.3
    learning_rate: float = 3e-3
    decay: float = 1e-3
    batch: int = 512
    epochs: int = 12
    patience: int = 3
    inner: float = 0.2
    seed: int = 7

    def fit(self, samples: Samples, head: Head) -> Trained:
        """A network, the same one for the same samples and seed."""
        samples.require_trainable()
        older, newest = inner_split(samples, self.inner)
        scaler = Scaler.fit(older.values)
        return Trained(scaler, self._train(scaler, older, newest, head), self.window, head)

    def _train(self, scaler: Scaler, older: Samples, newest: Samples, head: Head) -> "Keras":
        library = keras(self.seed)
        layers = library.layers
        inputs = layers.Input((self.window, len(scaler.mean)))
        state = layers.LSTM(self.units, name="lstm")(inputs)
        kept = layers.Dropout(self.dropout)(state)
        chances = layers.Dense(head.width, activation="softmax", name="chances")(kept)
        model = library.Model(inputs, chances)
        # It begins at the class prior, and has only to learn what moves the chances from there.
        model.get_layer("chances").bias.assign(np.log(frequencies(older.truth, head)))
        model.compile(
            library.optimizers.AdamW(self.learning_rate, weight_decay=self.decay),
            "sparse_categorical_crossentropy",
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
        """Small networks, slow to fast."""
        return {
            "units": Span(4, 32, whole=True),
            "dropout": Span(0.0, 0.5),
            "learning_rate": Span(1e-3, 1e-2, log=True),
            "decay": Span(1e-5, 1e-2, log=True),
        }
