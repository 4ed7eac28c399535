"""Two bidirectional LSTM layers and attention of the newest session: in Keras, and for ONNX.

Graves and Schmidhuber (2005) for the layers, Vaswani et al. (2017) for the attention. What comes
out are quantiles that cannot cross: the lowest, and steps above 0 from each to the next.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.bundle.scaler import Scaler
from training.forecast import Floats
from training.network import scaling, to_onnx

if TYPE_CHECKING:
    from keras import Model
    from torch.nn import Module

_LEAST = 1e-3  # the smallest step between quantiles that a network begins with


@dataclass(frozen=True)
class Shape:
    """What goes in: `window` rows of `width` values; and how wide the layers are."""

    window: int
    width: int
    first: int
    second: int
    heads: int
    dense: int
    dropout: float

    @property
    def inside(self) -> int:
        """Numbers per session that attention looks at."""
        return 2 * self.second

    @property
    def share(self) -> int:
        """Numbers that each head looks at."""
        return max(1, self.inside // self.heads)


def network(library: Any, shape: Shape, usual: Floats) -> "Model":
    """The Keras model; it begins at the `usual` quantiles and learns what moves them."""
    layers = library.layers
    inputs = layers.Input((shape.window, shape.width))
    states = inputs
    for name, units in (("first", shape.first), ("second", shape.second)):
        inner = layers.LSTM(units, return_sequences=True)
        states = layers.Bidirectional(inner, name=name)(states)
    newest = layers.Cropping1D((shape.window - 1, 0))(states)
    attention = layers.MultiHeadAttention(shape.heads, shape.share, name="attention")
    seen = layers.Reshape((shape.inside,))(attention(newest, states))
    hidden = layers.Dense(shape.dense, activation="relu", name="dense")(seen)
    kept = layers.Dropout(shape.dropout)(hidden)
    lowest = layers.Dense(1, name="lowest")(kept)
    steps = layers.Dense(len(usual) - 1, activation="softplus", name="steps")(kept)
    summed = layers.Dense(len(usual), use_bias=False, trainable=False, name="quantiles")
    model = library.Model(inputs, summed(layers.Concatenate()([lowest, steps])))
    for name in ("first", "second"):
        both = model.get_layer(name)
        _quicken(both.forward_layer)
        _quicken(both.backward_layer)
    summed.kernel.assign(np.triu(np.ones((len(usual), len(usual)), dtype=np.float32)))
    gaps = np.maximum(np.diff(usual), _LEAST)
    model.get_layer("lowest").bias.assign(usual[:1])
    model.get_layer("steps").bias.assign(np.log(np.expm1(gaps)))
    return model


def _quicken(layer: Any) -> None:
    # Keras walks session by session in Python; torch's own LSTM gives the same numbers in less than
    # half the time. What is saved is still the plain layer.
    import torch

    def inner_loop(
        sequences: Any,
        initial_state: Any,
        mask: Any,  # noqa: ARG001
        training: bool = False,
    ) -> Any:
        kernel, recurrent, bias = (one.value for one in layer.cell.trainable_variables)
        weights = [kernel.T.contiguous(), recurrent.T.contiguous(), bias, torch.zeros_like(bias)]
        given = sequences.flip(1) if layer.go_backwards else sequences
        start = tuple(one[None].contiguous() for one in initial_state)
        states, hidden, carried = torch.lstm(
            given, start, weights, True, 1, 0.0, training, False, True
        )
        return hidden[0], states, [hidden[0], carried[0]]

    layer.inner_loop = inner_loop


def pinball_of(levels: tuple[float, ...]) -> Any:
    """The mean pinball loss as Keras takes it."""

    def pinball(truth: Any, said: Any) -> Any:
        from keras import ops  # by then somebody has said on which backend

        shares = ops.convert_to_tensor(levels, dtype=said.dtype)
        apart = ops.reshape(truth, (-1, 1)) - said
        return ops.mean(ops.maximum(shares * apart, (shares - 1.0) * apart), axis=-1)

    return pinball


def export(model: "Model", scaler: Scaler, window: int) -> bytes:
    """The ONNX graph of scaler and network, from windows (n, window, k) of raw values.

    Weights are copied into torch's own layers, whose graph is many times faster than Keras'.
    """
    return to_onnx(_graph(model, scaler), window, len(scaler.mean), "quantiles")


def _graph(model: "Model", scaler: Scaler) -> "Module":
    import torch

    asks = _attention(model.get_layer("attention"))
    tops = {name: _linear(model.get_layer(name)) for name in ("dense", "lowest", "steps")}

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaling = scaling(scaler)
            self.first, self.second = (_lstm(model.get_layer(n)) for n in ("first", "second"))
            self.asks = asks
            self.tops = torch.nn.ModuleDict(tops)

        def forward(self, values: Any) -> Any:
            states, _ = self.first(self.scaling(values))
            states, _ = self.second(states)
            hidden = torch.relu(self.tops["dense"](self.asks(states)))
            steps = torch.nn.functional.softplus(self.tops["steps"](hidden))
            return torch.cat([self.tops["lowest"](hidden), steps], dim=1).cumsum(dim=1)

    return Graph()


def _linear(dense: Any) -> "Module":
    import torch

    weights, intercept = (torch.tensor(w) for w in dense.get_weights())
    return _filled(torch.nn.Linear(*weights.shape), weights, intercept)


def _lstm(both: Any) -> "Module":
    import torch

    state: dict[str, torch.Tensor] = {}
    for ending, layer in (("", both.forward_layer), ("_reverse", both.backward_layer)):
        kernel, recurrent, bias = (torch.tensor(w) for w in layer.get_weights())
        state |= {f"weight_ih_l0{ending}": kernel.T, f"weight_hh_l0{ending}": recurrent.T}
        state |= {f"bias_ih_l0{ending}": bias, f"bias_hh_l0{ending}": torch.zeros_like(bias)}
    lstm = torch.nn.LSTM(len(kernel), len(recurrent), batch_first=True, bidirectional=True)
    lstm.load_state_dict(state)
    return lstm


def _attention(layer: Any) -> "Module":
    import torch

    query, query_bias, key, key_bias, value, value_bias, out, out_bias = (
        torch.tensor(w) for w in layer.get_weights()
    )
    heads, share = query_bias.shape

    class Attention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            width = len(query)
            self.query, self.key, self.value = (
                _filled(torch.nn.Linear(width, heads * share), w.reshape(width, -1), b.reshape(-1))
                for w, b in ((query, query_bias), (key, key_bias), (value, value_bias))
            )
            last = torch.nn.Linear(heads * share, width)
            self.out = _filled(last, out.reshape(-1, width), out_bias)

        def forward(self, states: Any) -> Any:
            sessions = states.shape[1]
            asked = self.query(states[:, -1]).reshape(-1, 1, heads, share)
            found = self.key(states).reshape(-1, sessions, heads, share)
            weights = ((asked * found).sum(dim=3) / share**0.5).softmax(dim=1)
            told = self.value(states).reshape(-1, sessions, heads, share)
            return self.out((weights[..., None] * told).sum(dim=1).reshape(-1, heads * share))

    return Attention()


def _filled(linear: "Module", weights: Any, bias: Any) -> "Module":
    linear.load_state_dict({"weight": weights.T, "bias": bias})
    return linear
