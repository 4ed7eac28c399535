"""A small recurrent network (Keras 3 on torch) over the newest sessions of an instrument."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.bundle.models import NETWORK
from training.bundle.scaler import Scaler
from training.expert import Expert, Span, expert
from training.forecast import CLASSES, Forecasts, Values, normalised
from training.network import batches, export, keras
from training.samples.folds import inner_split
from training.samples.samples import Samples

if TYPE_CHECKING:
    from keras import Model


@dataclass(frozen=True)
class Trained:
    """The network and the scaler of what it is given."""

    scaler: Scaler
    model: "Model"


@expert("lstm", objective="trend", libraries=("keras", "torch", "onnx", "onnxruntime", "numpy"))
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

    def fit(self, samples: Samples) -> Trained:
        """A network, the same one for the same samples and seed."""
        samples.require_trainable()
        older, newest = inner_split(samples, self.inner)
        scaler = Scaler.fit(older.values)
        return Trained(scaler, self._train(scaler, older, newest))

    def predict(self, fitted: Trained, values: Values) -> Forecasts:
        """Softmax probabilities."""
        if not len(values):
            return Forecasts(np.empty((0, len(CLASSES))))
        inputs = fitted.scaler.apply(values[:, -self.window :]).astype(np.float32)
        return Forecasts(normalised(fitted.model.predict_on_batch(inputs)))

    def export(self, fitted: Trained) -> Mapping[str, bytes]:
        """One ONNX file from raw windows to probabilities: the scaler is part of the graph."""
        return {NETWORK: export(fitted.model, fitted.scaler, self.window)}

    def _train(self, scaler: Scaler, older: Samples, newest: Samples) -> "Model":
        library = keras(self.seed)
        layers = library.layers
        inputs = layers.Input((self.window, len(scaler.mean)))
        state = layers.LSTM(self.units, name="lstm")(inputs)
        kept = layers.Dropout(self.dropout)(state)
        chances = layers.Dense(len(CLASSES), activation="softmax", name="chances")(kept)
        model = library.Model(inputs, chances)
        # It begins at the class prior, and has only to learn what moves the chances from there.
        shares = normalised(np.bincount(older.labels, minlength=len(CLASSES)) + 1.0)
        model.get_layer("chances").bias.assign(np.log(shares).ravel())
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
