"""How networks are taught and stopped in time, and what comes of it: as files an ONNX graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from training.bundle.model import Model
from training.bundle.models.network import Network
from training.bundle.scaler import Scaler
from training.forecast import Floats, Head, Values
from training.network import batches, keras
from training.samples.folds import inner_split
from training.samples.samples import Samples

if TYPE_CHECKING:
    from keras import Model as Keras

# From a fitted network, its scaler and its window to an ONNX graph of both.
Export: TypeAlias = Callable[["Keras", Scaler, int], bytes]
# From the library, the number of features and the rows that teach to a network that is to learn.
Build: TypeAlias = Callable[[Any, int, Samples], "Keras"]


@dataclass(frozen=True)
class Trained(Model):
    """The network and the scaler of what it is given; as files it is an ONNX graph of both."""

    scaler: Scaler
    model: "Keras"
    window: int
    head: Head
    export: Export

    def forecast(self, values: Values) -> Floats:
        """What the network says, as the head has it."""
        if not len(values):
            return np.empty((0, self.head.width))
        inputs = self.scaler.apply(values[:, -self.window :]).astype(np.float32)
        return self.head.from_means(self.model.predict_on_batch(inputs))

    def files(self) -> Mapping[str, bytes]:
        """One ONNX file from raw windows to answers: the scaler is part of the graph."""
        return {Network.file: self.export(self.model, self.scaler, self.window)}

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> NoReturn:
        """What it is read back as is a Network."""
        raise NotImplementedError(f"{cls.__name__} is read as {Network.__name__}")


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """How a network is taught by AdamW, stopped early on sessions that teach it nothing else.

    epochs: upper bound; the weights are those of the epoch with the smallest loss on the newest
    `inner` share of the training sessions, purged by settlement, and `patience` epochs without a
    smaller one end the training. Experts that are networks are Lessons, too, so that these are
    among their hyperparameters.
    """

    learning_rate: float = 3e-3
    decay: float = 1e-3
    batch: int = 512
    epochs: int = 12
    patience: int = 3
    inner: float = 0.2
    seed: int = 7

    def teach(
        self, samples: Samples, window: int, build: Build, loss: Any
    ) -> tuple[Scaler, "Keras"]:
        """The scaler of the rows that taught, and the network; raises TrainingError.

        The same ones for the same samples and seed. loss: as Keras takes it.
        """
        samples.require_trainable()
        older, newest = inner_split(samples, self.inner)
        scaler = Scaler.fit(older.values)
        library = keras(self.seed)
        model = build(library, len(scaler.mean), older)
        model.compile(
            library.optimizers.AdamW(self.learning_rate, weight_decay=self.decay),
            loss,
            jit_compile=False,
        )
        stop = library.callbacks.EarlyStopping(
            patience=self.patience, restore_best_weights=True, start_from_epoch=0
        )
        model.fit(
            batches(older, scaler, window, self.batch, self.seed),
            validation_data=batches(newest, scaler, window, 4 * self.batch, self.seed),
            epochs=self.epochs,
            callbacks=[stop],
            verbose=0,
        )
        return scaler, model
