"""A small recurrent network (Keras 3 on torch) over the newest sessions of an instrument."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.expert import Expert, Span, expert
from training.forecast import Classes, Head, frequencies
from training.network import export
from training.samples.samples import Samples
from training.trained import Lessons, Trained

if TYPE_CHECKING:
    from keras import Model as Keras


@expert("lstm", heads=(Classes,), libraries=("keras", "torch", "onnx", "onnxruntime", "numpy"))
@dataclass(frozen=True)
class Lstm(Lessons, Expert[Trained]):
    """One LSTM layer of `units`, dropout, softmax; the sequences are the newest `window` rows.

    It is stopped early (`Lessons`) by its log loss.
    """

    window: int = 10
    units: int = 8
    dropout: float = 0.3

    def fit(self, samples: Samples, head: Head) -> Trained:
        """A network, the same one for the same samples and seed."""

        def build(library: Any, width: int, older: Samples) -> "Keras":
            return self._network(library, width, frequencies(older.truth, head))

        found = self.teach(samples, self.window, build, "sparse_categorical_crossentropy")
        return Trained(*found, self.window, head, export)

    def _network(self, library: Any, width: int, prior: Any) -> "Keras":
        layers = library.layers
        inputs = layers.Input((self.window, width))
        state = layers.LSTM(self.units, name="lstm")(inputs)
        kept = layers.Dropout(self.dropout)(state)
        chances = layers.Dense(len(prior), activation="softmax", name="chances")(kept)
        model = library.Model(inputs, chances)
        # It begins at the class prior, and has only to learn what moves the chances from there.
        model.get_layer("chances").bias.assign(np.log(prior))
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
