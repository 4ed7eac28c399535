"""From the files of a bundle to a function that forecasts. Light: a library only when asked for.

An engine takes windows, float32 (n, window, k), and gives probabilities (n, 3). One whose model
looks back on fewer rows sees the last of them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from contracts.expected import Expected
from training.bundle.scaler import Scaler
from training.ensemble import ENSEMBLES
from training.forecast import CLASSES, Floats, Values, normalised, softmax

if TYPE_CHECKING:
    from xgboost import Booster

Engine: TypeAlias = Callable[[Values], Floats]

TREES = "model.ubj"
PRIOR = "prior.json"
LINEAR = "linear.json"
NETWORK = "network.onnx"
ENSEMBLE = "ensemble.json"


class EngineError(Expected, ValueError):
    """A bundle's files hold no model that this code can read."""


@dataclass(frozen=True)
class Linear:
    """A scaler, weights (3, k) and intercept (3,) of a softmax."""

    scaler: Scaler
    weights: Floats
    intercept: Floats

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        own = {"weights": self.weights.tolist(), "intercept": self.intercept.tolist()}
        return {"scaler": self.scaler.as_json(), **own}

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> "Linear":
        """The model that `as_json` wrote."""
        weights, intercept = (np.array(fields[name]) for name in ("weights", "intercept"))
        return cls(Scaler.parse(fields["scaler"]), weights, intercept)


def boosted(booster: "Booster") -> Engine:
    """Softmax trees; nulls in the values are NaN."""

    def forecast(values: Values) -> Floats:
        if not len(values):
            return np.empty((0, len(CLASSES)))
        newest = np.ascontiguousarray(values[:, -1])
        return normalised(booster.inplace_predict(newest, missing=np.nan))

    return forecast


def constant(prior: Floats) -> Engine:
    """The same probabilities for every row."""

    def forecast(values: Values) -> Floats:
        return np.tile(prior, (len(values), 1))

    return forecast


def linear(model: Linear) -> Engine:
    """A softmax of weighted sums."""

    def forecast(values: Values) -> Floats:
        return softmax(model.scaler.apply(values[:, -1]) @ model.weights.T + model.intercept)

    return forecast


def network(content: bytes) -> Engine:
    """An ONNX graph from the one input, whose window it declares, to probabilities."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    [taken] = session.get_inputs()
    window = int(taken.shape[1])

    def forecast(values: Values) -> Floats:
        if not len(values):
            return np.empty((0, len(CLASSES)))
        return normalised(session.run(None, {taken.name: values[:, -window:]})[0])

    return forecast


def together(name: str, parameters: Mapping[str, Any], members: list[Engine]) -> Engine:
    """The ensemble of that name over its members."""
    member = ENSEMBLES.get(name)()

    def forecast(values: Values) -> Floats:
        return member.combine(parameters, np.stack([engine(values) for engine in members]))

    return forecast


def _read_trees(content: bytes) -> Engine:
    from xgboost import Booster

    booster = Booster({"nthread": 1})
    booster.load_model(bytearray(content))
    return boosted(booster)


def _read_prior(content: bytes) -> Engine:
    return constant(normalised(np.array(json.loads(content)["probabilities"])).ravel())


def _read_linear(content: bytes) -> Engine:
    return linear(Linear.parse(json.loads(content)))


_READERS: dict[str, Callable[[bytes], Engine]] = {
    TREES: _read_trees,
    PRIOR: _read_prior,
    LINEAR: _read_linear,
    NETWORK: network,
}


def read(files: Mapping[str, bytes]) -> Engine:
    """The engine that the files hold: of an ensemble, or of one model; raises EngineError."""
    if ENSEMBLE in files:
        declared = json.loads(files[ENSEMBLE])
        members = [read(files_of(files, name)) for name in declared["members"]]
        return together(declared["ensemble"], declared["parameters"], members)
    found = [name for name in files if name in _READERS]
    if len(found) != 1:
        raise EngineError(
            f"expected one model file of {sorted(_READERS)}, found {sorted(found) or 'none'}"
        )
    return _READERS[found[0]](files[found[0]])


def files_of(files: Mapping[str, bytes], member: str) -> dict[str, bytes]:
    """A member's files within its ensemble's, under the names that they had alone."""
    start = f"{member}/"
    return {n.removeprefix(start): c for n, c in files.items() if n.startswith(start)}
