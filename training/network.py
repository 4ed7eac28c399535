"""What networks have in common: Keras on torch, batches gathered by index, ONNX through torch."""

import io
import math
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from contracts.expected import Expected
from training.bundle.scaler import FAR, Scaler
from training.forecast import Values
from training.samples.samples import Samples

if TYPE_CHECKING:
    from keras import Model
    from keras.utils import PyDataset
    from torch.nn import Module

_OPSET = 17


class WrongBackend(Expected, RuntimeError):
    """Keras was imported on another backend than torch."""


def keras(seed: int) -> Any:
    """Keras on torch, one thread, all its random numbers from that seed; raises WrongBackend."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras
    import torch

    if keras.backend.backend() != "torch":
        raise WrongBackend(
            f"expected Keras on torch, found it on {keras.backend.backend()}: unset KERAS_BACKEND"
        )
    # Two threads beside a busy neighbour are slower than one, and one is the same every time.
    torch.set_num_threads(1)
    keras.utils.set_random_seed(seed)
    return keras


def batches(samples: Samples, scaler: Scaler, window: int, size: int, seed: int) -> "PyDataset":
    """The samples' windows and truth as Keras reads them: gathered batch by batch, never kept.

    Rows are mixed anew before each epoch; of the whole they stay within the training samples.
    """
    from keras.utils import PyDataset

    random = np.random.default_rng(seed)

    class Batches(PyDataset):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(workers=0)
            self.order = random.permutation(len(samples))

        def __len__(self) -> int:
            return math.ceil(len(samples) / size)

        def __getitem__(self, place: int) -> tuple[Values, Any]:
            part = samples.take(self.order[place * size : (place + 1) * size])
            return scaler.apply(part.windows(window)).astype(np.float32), part.truth

        def on_epoch_end(self) -> None:
            self.order = random.permutation(len(samples))

    return Batches()


def export(model: "Model", scaler: Scaler, window: int) -> bytes:
    """The ONNX graph of scaler, LSTM and softmax, from windows (n, window, k) of raw values.

    Weights are copied into torch's own LSTM, whose graph is many times faster than that of
    Keras' exporter; both keep the gates in the order input, forget, cell, output.
    """
    return to_onnx(_graph(model, scaler), window, len(scaler.mean), "probabilities")


def to_onnx(graph: "Module", window: int, width: int, says: str) -> bytes:
    """A torch module as ONNX, from windows (n, window, width); says: the name of its output."""
    import torch

    buffer = io.BytesIO()
    example = torch.zeros(2, window, width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a first state for another batch size: it is zero
        torch.onnx.export(
            graph.eval(),
            (example,),
            buffer,  # type: ignore[arg-type]
            input_names=["values"],
            output_names=[says],
            dynamic_axes={"values": {0: "rows"}, says: {0: "rows"}},
            opset_version=_OPSET,
            dynamo=False,
        )
    return buffer.getvalue()


def scaling(scaler: Scaler) -> "Module":
    """The scaler as a torch module; values (..., k) come out as `Scaler.apply` has them."""
    import torch

    class Scaling(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean, self.deviation = (
                torch.nn.Parameter(torch.tensor(part, dtype=torch.float64), requires_grad=False)
                for part in (scaler.mean, scaler.deviation)
            )

        def forward(self, values: Any) -> Any:
            scaled = (values.double() - self.mean) / self.deviation
            known = torch.where(torch.isnan(scaled), torch.zeros_like(scaled), scaled)
            return known.clamp(-FAR, FAR).float()

    return Scaling()


def _graph(model: "Model", scaler: Scaler) -> Any:
    import torch

    lstm, dense = model.get_layer("lstm"), model.get_layer("chances")

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaling = scaling(scaler)
            self.lstm = torch.nn.LSTM(len(scaler.mean), lstm.units, batch_first=True)
            self.dense = torch.nn.Linear(lstm.units, dense.units)

        def forward(self, values: Any) -> Any:
            states, _ = self.lstm(self.scaling(values))
            return self.dense(states[:, -1]).softmax(dim=-1)

    graph = Graph()
    kernel, recurrent, bias = (torch.tensor(w) for w in lstm.get_weights())
    weights, intercept = (torch.tensor(w) for w in dense.get_weights())
    state = {"lstm.weight_ih_l0": kernel.T, "lstm.weight_hh_l0": recurrent.T}
    state |= {"lstm.bias_ih_l0": bias, "lstm.bias_hh_l0": torch.zeros_like(bias)}
    state |= {"dense.weight": weights.T, "dense.bias": intercept}
    graph.load_state_dict(graph.state_dict() | state)
    return graph
