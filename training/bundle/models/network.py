"""An ONNX graph from the one input, whose window it declares, to what the head takes as means."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np

from training.bundle.model import Model, model
from training.forecast import Floats, Head, Values

_STEPS = 16
_NUDGE = 0.05  # of the way: small beside a step, large beside float32


@model("network.onnx")
@dataclass(frozen=True)
class Network(Model):
    """content: the graph, the scaler of its inputs included."""

    method: ClassVar[str] = "integrated_gradients"
    scale: ClassVar[Literal["scores", "answers"]] = "answers"

    content: bytes
    head: Head

    def forecast(self, values: Values) -> Floats:
        """What the graph says to the last rows of each window."""
        if not len(values):
            return np.empty((0, self.head.width))
        [taken] = self._session.get_inputs()
        given = {taken.name: values[:, -int(taken.shape[1]) :]}
        return self.head.from_means(self._session.run(None, given)[0])

    def explain(self, values: Values, typical: Values) -> Floats:
        """Integrated gradients from `typical` to each window; they add up to answers.

        Sundararajan, Taly and Yan (2017), "Axiomatic attribution for deep networks". A feature's
        gradient is that of all its rows together, by central differences, since the graph has no
        backward pass; a null lies where the typical value does. What the sum over _STEPS points of
        the way misses of the answer is shared out by the size of the contributions.
        """
        found = np.empty((len(values), self.head.width, values.shape[2] + 1))
        [base] = self.forecast(typical[None])
        for i, (window, said) in enumerate(zip(values, self.forecast(values), strict=True)):
            adds = self._way(typical, np.where(np.isfinite(window), window, typical))
            size = np.abs(adds) + 1e-12
            share = size / size.sum(axis=1, keepdims=True)
            missed = said - base - adds.sum(axis=1)
            found[i] = np.column_stack([adds + share * missed[:, None], base])
        return found

    def _way(self, start: Values, end: Values) -> Floats:
        """The mean gradients from window to window, times the way: (width, k)."""
        k, way = end.shape[1], end - start
        points = (np.arange(_STEPS, dtype=np.float32) + 0.5) / _STEPS
        # Each feature by itself a little further on, and a little back: (k, window, k).
        moves = np.eye(k, dtype=np.float32)[:, None, :] * (np.float32(_NUDGE) * way)
        between = (start + points[:, None, None] * way)[:, None]
        given = np.stack([between + moves, between - moves])
        there, back = self.forecast(given.reshape(-1, *end.shape)).reshape(2, _STEPS, k, -1)
        return np.asarray(((there - back) / (2 * _NUDGE)).mean(axis=0).T)

    def files(self) -> Mapping[str, bytes]:
        """One ONNX file."""
        return {self.file: self.content}

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The graph; it is opened at once, so that a broken one is known."""
        found = cls(files[cls.file], head)
        _ = found._session
        return found

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(
            self.content, options, providers=["CPUExecutionProvider"]
        )
