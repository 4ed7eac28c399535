"""What networks of classes have in common: sequences, one graph, and when they stop."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from training.bundle.model import Model, read
from training.expert import EXPERTS
from training.objective import OBJECTIVES, Objective
from training.samples.folds import inner_split
from training.samples.samples import Samples, from_matrix

TREND = OBJECTIVES.get("trend")
# Few rows want small batches and fast steps.
QUICK: dict[str, dict[str, Any]] = {
    "logistic": {"strength": 1.0},
    "lstm": {"window": 4, "batch": 32, "learning_rate": 0.02, "dropout": 0.0, "epochs": 15},
    "transformer": {"window": 4, "batch": 32, "learning_rate": 0.01, "dropout": 0.0, "epochs": 15},
}
NETWORKS = ("lstm", "transformer")


def trained(name: str, samples: Samples) -> tuple[Any, Model]:
    expert = EXPERTS.get(name)(**QUICK[name])
    return expert, expert.fit(samples, TREND.head)


@pytest.mark.slow
def test_a_network_finds_what_lies_sessions_back(matrix: Callable[..., pa.Table]) -> None:
    # Labels from the instrument's own `mood` three rows before: only a sequence knows it.
    samples = from_matrix(matrix())
    mood = samples.windows(4)[:, 0, samples.features.index("mood")]
    known = samples.with_truth(np.digitize(np.nan_to_num(mood), (-0.5, 0.5)).astype(np.int64))
    train, test = known.take(np.arange(900)), known.take(np.arange(900, 1200))
    hits = {}
    for name in ("logistic", *NETWORKS):
        expert, fitted = trained(name, train)
        hits[name] = (expert.forecast(fitted, test).argmax(axis=1) == test.truth).mean()
    assert min(hits[name] for name in NETWORKS) > 0.7
    assert hits["logistic"] < 0.5


@pytest.mark.parametrize("shape", [(1, 6, 1, 1), (7, 10, 4, 2), (3, 5, 2, 3)])
def test_a_transformer_of_any_shape_is_the_same_in_onnx(
    shape: tuple[int, int, int, int], matrix: Callable[..., pa.Table]
) -> None:
    window, width, heads, blocks = shape
    samples = from_matrix(matrix())
    fields = {"window": window, "width": width, "attentions": heads, "blocks": blocks, "epochs": 1}
    fitted = EXPERTS.get("transformer")(**fields).fit(samples, TREND.head)
    again = read(fitted.files(), TREND.head)
    windows = samples.windows(window)
    for count in (1, 7, len(samples)):
        said = again.forecast(windows[:count])
        assert np.abs(said - fitted.forecast(windows[:count])).max() < 1e-5


@pytest.mark.slow
def test_networks_are_not_stopped_by_what_they_are_tested_on(
    matrix: Callable[..., pa.Table],
) -> None:
    """What stops them is the newest of the rows that they are given, and none besides."""
    samples = from_matrix(matrix())
    train = samples.take(np.arange(900))
    older, newest = inner_split(train, 0.2)
    assert newest.sessions.max() == train.sessions.max()
    assert older.settled_at.max() <= newest.as_of.min()
    for name in NETWORKS:
        member = EXPERTS.get(name)(**QUICK[name])
        own, truth = member.fit(train, TREND.head).files(), train.truth.copy()
        # Another truth of the sessions that stop it changes when it stops, but not how it learns.
        truth[train.sessions >= newest.sessions.min()] = 0
        fewer = replace(member, epochs=1)
        one, other = (fewer.fit(t, TREND.head).files() for t in (train, train.with_truth(truth)))
        assert one == other, name
        assert own != one


def test_keras_on_another_backend_is_refused() -> None:
    code = (
        "import sys, types\n"
        "backend = types.SimpleNamespace(backend=lambda: 'jax')\n"
        "sys.modules['keras'] = types.SimpleNamespace(backend=backend)\n"
        "from training.network import keras\n"
        "keras(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "expected Keras on torch, found it on jax" in done.stderr


class Asked(Exception):
    """Keras was imported, and what its backend was by then."""


ON_KERAS = [
    (name, objective.name)
    for name in EXPERTS.names()
    for objective in OBJECTIVES
    if "keras" in EXPERTS.get(name).libraries
    and isinstance(objective.head, EXPERTS.get(name).heads)
]


@pytest.mark.parametrize(("name", "of"), ON_KERAS)
def test_whoever_asks_first_for_keras_has_chosen_its_backend(
    name: str,
    of: str,
    rows_for: Callable[[Objective], Samples],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Gate:
        def find_spec(self, module: str, *_: object) -> None:
            if module.split(".", maxsplit=1)[0] == "keras":
                raise Asked(os.environ.get("KERAS_BACKEND"))

    samples = rows_for(OBJECTIVES.get(of))
    for module in [one for one in sys.modules if one.split(".")[0] == "keras"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Gate(), *sys.meta_path])
    with pytest.raises(Asked, match="torch"):
        EXPERTS.get(name)().fit(samples, OBJECTIVES.get(of).head)
