"""From the files of a bundle to a function that forecasts. Light: xgboost only when asked for."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from training.forecast import CLASSES, Floats, Values, normalised

if TYPE_CHECKING:
    from xgboost import Booster

Engine: TypeAlias = Callable[[Values], Floats]

TREES = "model.ubj"
PRIOR = "prior.json"


class EngineError(ValueError):
    """A bundle's files hold no model that this code can read."""


def boosted(booster: "Booster") -> Engine:
    """Softmax trees; nulls in the values are NaN."""

    def forecast(values: Values) -> Floats:
        if not len(values):
            return np.empty((0, len(CLASSES)))
        return normalised(booster.inplace_predict(values, missing=np.nan))

    return forecast


def constant(prior: Floats) -> Engine:
    """The same probabilities for every row."""

    def forecast(values: Values) -> Floats:
        return np.tile(prior, (len(values), 1))

    return forecast


def _read_trees(content: bytes) -> Engine:
    from xgboost import Booster

    booster = Booster({"nthread": 1})
    booster.load_model(bytearray(content))
    return boosted(booster)


def _read_prior(content: bytes) -> Engine:
    return constant(normalised(np.array(json.loads(content)["probabilities"])).ravel())


_READERS: dict[str, Callable[[bytes], Engine]] = {TREES: _read_trees, PRIOR: _read_prior}


def read(files: Mapping[str, bytes]) -> Engine:
    """The engine that the one model file among `files` holds; raises EngineError."""
    found = [name for name in files if name in _READERS]
    if len(found) != 1:
        raise EngineError(
            f"expected one model file of {sorted(_READERS)}, found {sorted(found) or 'none'}"
        )
    return _READERS[found[0]](files[found[0]])
