"""An ONNX graph from the one input, whose window it declares, to what the head takes as means."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from training.bundle.model import Model, model
from training.forecast import Floats, Head, Values


@model("network.onnx")
@dataclass(frozen=True)
class Network(Model):
    """content: the graph, the scaler of its inputs included."""

    content: bytes
    head: Head

    def forecast(self, values: Values) -> Floats:
        """What the graph says to the last rows of each window."""
        if not len(values):
            return np.empty((0, self.head.width))
        [taken] = self._session.get_inputs()
        given = {taken.name: values[:, -int(taken.shape[1]) :]}
        return self.head.from_means(self._session.run(None, given)[0])

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
