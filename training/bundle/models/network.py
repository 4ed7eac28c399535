"""An ONNX graph from the one input, whose window it declares, to what the head takes as means."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np

from training.bundle.model import Model, model
from training.forecast import Floats, Head, Values

# Points of the way: for all rows, and for those of which these miss more than _MISSED.
_FEW, _MANY = 4, 16
_MISSED = 0.05  # of what the contributions are in all, as the paper advises
_NUDGE = 0.03  # of the way: small beside a step, large beside float32
_AT_ONCE = 1024  # windows in a call


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
        gradient is that of all its rows together, by differences, since the graph has no backward
        pass; a null lies where the typical value does. The way is summed up at the points of Gauss
        and Legendre, at more of them where the sum misses the answer; what these miss is shared out
        by the size of the contributions.
        """
        if not len(values):
            return np.empty((0, self.head.width, values.shape[2] + 1))
        ends = np.where(np.isfinite(values), values, typical)
        [base] = self.forecast(typical[None])
        gained = self.forecast(values) - base
        adds = self._ways(typical, ends, _FEW)
        missed = np.abs(gained - adds.sum(axis=2))
        rough = (missed > _MISSED * np.abs(adds).sum(axis=2) + 1e-9).any(axis=1)
        if rough.any():
            adds[rough] = self._ways(typical, ends[rough], _MANY)
        size = np.abs(adds) + 1e-12
        share = size / size.sum(axis=2, keepdims=True)
        adds += share * (gained - adds.sum(axis=2))[:, :, None]
        without = np.broadcast_to(base[:, None], (*gained.shape, 1))
        return np.concatenate([adds, without], axis=2)

    def _ways(self, start: Values, ends: Values, count: int) -> Floats:
        """Mean gradients from window to windows (n, window, k), times the way: (n, width, k)."""
        step = max(1, _AT_ONCE // (count * (ends.shape[2] + 1)))
        parts = [ends[i : i + step] for i in range(0, len(ends), step)]
        # A call keeps to one core; the graph bears several at a time.
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            found = pool.map(lambda part: self._way(start, part, count), parts)
            return np.concatenate(list(found))

    def _way(self, start: Values, ends: Values, count: int) -> Floats:
        k, way = ends.shape[2], (ends - start)[:, None]
        nodes, weights = np.polynomial.legendre.leggauss(count)
        points = ((nodes + 1) / 2).astype(np.float32)
        between = start + points[:, None, None] * way
        # As it is, then each feature by itself a little further on: (n, count, 1 + k, window, k).
        given = np.repeat(between[:, :, None], 1 + k, axis=2)
        each = np.arange(k)
        given[:, :, 1 + each, :, each] += np.float32(_NUDGE) * np.moveaxis(way, -1, 0)
        said = self.forecast(given.reshape(-1, *start.shape)).reshape(*given.shape[:3], -1)
        slopes = (said[:, :, 1:] - said[:, :, :1]) / _NUDGE
        return np.asarray(np.einsum("q,nqkw->nwk", weights / 2, slopes))

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
