"""A small Transformer (Keras 3 on torch) over the newest sessions of an instrument."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.bundle.scaler import Scaler
from training.expert import Expert, Span, expert
from training.forecast import Classes, Floats, Head, Values, frequencies
from training.network import scaling, to_onnx
from training.samples.samples import Samples
from training.trained import Lessons, Trained

if TYPE_CHECKING:
    from keras import Model as Keras
    from torch.nn import Module

_EPSILON = 1e-6
_FAR_APART = 10_000.0  # the longest wave of positions, in sessions over 2 pi


@expert(
    "transformer", heads=(Classes,), libraries=("keras", "torch", "onnx", "onnxruntime", "numpy")
)
@dataclass(frozen=True)
class Transformer(Lessons, Expert[Trained]):
    """`blocks` of attention over the newest `window` rows; the last state tells the chances.

    Vaswani et al. (2017), "Attention is all you need": each block has `attentions` heads on states
    of `width`, a layer twice as wide, dropout and layer norms after both. It is stopped early
    (`Lessons`) by its log loss.
    """

    window: int = 10
    width: int = 16
    attentions: int = 2
    blocks: int = 1
    dropout: float = 0.2

    def fit(self, samples: Samples, head: Head) -> Trained:
        """A network, the same one for the same samples and seed."""

        def build(library: Any, features: int, older: Samples) -> "Keras":
            return self._network(library, features, frequencies(older.truth, head))

        found = self.teach(samples, self.window, build, "sparse_categorical_crossentropy")
        return Trained(*found, self.window, head, self._export)

    def _network(self, library: Any, features: int, prior: Floats) -> "Keras":
        layers = library.layers
        inputs = layers.Input((self.window, features))
        states = layers.Dense(self.width, name="embedded")(inputs)
        states = states + positions(self.window, self.width)
        share = max(1, self.width // self.attentions)
        for block in range(self.blocks):

            def joined(part: Any, name: str, states: Any = states, block: int = block) -> Any:
                kept = states + layers.Dropout(self.dropout)(part)
                return layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_{block}")(kept)

            attention = layers.MultiHeadAttention(self.attentions, share, name=f"attention_{block}")
            states = joined(attention(states, states), "seen")
            wide = layers.Dense(2 * self.width, activation="relu", name=f"wide_{block}")(states)
            narrow = layers.Dense(self.width, name=f"narrow_{block}")(wide)
            states = joined(narrow, "thought", states)
        kept = layers.Dropout(self.dropout)(states[:, -1])
        chances = layers.Dense(len(prior), activation="softmax", name="chances")(kept)
        model = library.Model(inputs, chances)
        # It begins at the class prior, and has only to learn what moves the chances from there.
        model.get_layer("chances").bias.assign(np.log(prior))
        return model

    def _export(self, model: "Keras", scaler: Scaler, window: int) -> bytes:
        graph = _graph(model, scaler, window, self.blocks)
        return to_onnx(graph, window, len(scaler.mean), "probabilities")

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """Small networks, slow to fast."""
        return {
            "blocks": Span(1, 2, whole=True),
            "dropout": Span(0.0, 0.5),
            "learning_rate": Span(1e-3, 1e-2, log=True),
            "decay": Span(1e-5, 1e-2, log=True),
        }


def positions(window: int, width: int) -> Values:
    """Where in the window a row lies, as sines and cosines (window, width), the newest at 0."""
    ago = np.arange(window - 1, -1, -1)[:, None]
    waves = _FAR_APART ** (-(np.arange(width) // 2 * 2) / width)
    return np.where(np.arange(width) % 2 == 0, np.sin(ago * waves), np.cos(ago * waves)).astype(
        np.float32
    )


def _graph(model: "Keras", scaler: Scaler, window: int, blocks: int) -> "Module":
    # Keras' own exporter fails on layer norms of a batch whose size is not fixed.
    import torch

    def layer(name: str) -> list[Any]:
        return [torch.tensor(w) for w in model.get_layer(name).get_weights()]

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaling = scaling(scaler)
            self.embedded, self.chances = layer("embedded"), layer("chances")
            self.places = torch.tensor(positions(window, len(self.embedded[1])))
            self.parts = [
                {n: layer(f"{n}_{i}") for n in ("attention", "seen", "wide", "narrow", "thought")}
                for i in range(blocks)
            ]

        def forward(self, values: Any) -> Any:
            states = _linear(self.scaling(values), *self.embedded) + self.places
            for part in self.parts:
                states = _normed(states + _attention(states, part["attention"]), *part["seen"])
                wide = torch.relu(_linear(states, *part["wide"]))
                states = _normed(states + _linear(wide, *part["narrow"]), *part["thought"])
            return _linear(states[:, -1], *self.chances).softmax(dim=-1)

    return Graph()


def _linear(states: Any, weights: Any, bias: Any) -> Any:
    return states @ weights + bias


def _normed(states: Any, scale: Any, shift: Any) -> Any:
    import torch

    return torch.nn.functional.layer_norm(states, scale.shape, scale, shift, _EPSILON)


def _attention(states: Any, weights: list[Any]) -> Any:
    # As Keras keeps them: kernels (width, heads, share) of query, key and value, then the way out.
    heads, share = weights[1].shape
    window, width = states.shape[1], states.shape[2]

    def headed(kernel: Any, bias: Any) -> Any:
        flat = _linear(states, kernel.reshape(width, -1), bias.reshape(-1))
        return flat.reshape(-1, window, heads, share).transpose(1, 2)

    query, key, value = (headed(weights[i], weights[i + 1]) for i in (0, 2, 4))
    seen = (query @ key.transpose(2, 3) / share**0.5).softmax(dim=-1) @ value
    flat = seen.transpose(1, 2).reshape(-1, window, heads * share)
    return _linear(flat, weights[6].reshape(-1, width), weights[7])
