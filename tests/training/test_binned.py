"""Rows that are binned batch by batch give the trees of rows that are binned at once."""

import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from tune_speed import made

from training.forecast import Floats
from training.samples import binned as module
from training.samples.binned import binned
from training.samples.samples import Samples

PLAIN = {"tree_method": "hist", "nthread": 1, "max_depth": 3, "seed": 7, "subsample": 0.6}
CLASSES = {"objective": "multi:softprob", "num_class": 3}


def trees(given: xgboost.QuantileDMatrix, **extra: Any) -> bytes:
    return bytes(xgboost.train(PLAIN | CLASSES, given, 8, **extra).save_raw("ubj"))


def at_once(rows: Samples, start: Floats | None = None, like: Any = None) -> Any:
    return xgboost.QuantileDMatrix(
        rows.values, label=rows.truth, base_margin=start, missing=np.nan, nthread=1, ref=like
    )


@pytest.fixture(scope="module")
def samples() -> Samples:
    found = made(stocks=6, sessions=700, features=8)
    values = found.history.values
    values[np.random.default_rng(1).random(values.shape) < 0.05] = np.nan
    values[:, 6] = np.round(values[:, 6])  # many ties
    return found


@pytest.mark.parametrize("size", [1, 997, 4096, 10**6])
def test_the_same_trees_whatever_the_batches(
    samples: Samples, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", size)
    part = samples if size > 1 else samples.take(np.arange(300))
    assert trees(binned(part)) == trees(at_once(part))


def test_where_the_trees_begin_is_told_row_by_row(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 1000)

    def start(part: Samples) -> Floats:
        return np.stack([part.column(f"feature_{i}") for i in range(3)], axis=1).astype(float)

    samples = samples.take(np.isfinite(samples.values[:, :3]).all(axis=1))
    assert trees(binned(samples, start)) == trees(at_once(samples, start(samples)))
    assert trees(binned(samples, start)) != trees(at_once(samples))


def test_others_are_binned_as_those_that_are_learnt(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 1000)
    older, newer = samples.take(np.arange(3000)), samples.take(np.arange(3000, len(samples)))
    scores: list[dict[str, Any]] = []
    for make in (binned, at_once):
        given, found = make(older), {}
        trees(
            given,
            evals=[(make(newer, None, given), "newer")],
            evals_result=found,
            verbose_eval=False,
        )
        scores.append(found)
    assert scores[0] == scores[1]


def test_a_row_that_cannot_be_read_is_told(samples: Samples) -> None:
    def start(_part: Samples) -> Floats:
        raise ValueError("no start")

    with pytest.raises(ValueError, match="no start"):
        binned(samples, start)


def test_no_second_copy_of_the_values_is_made(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 100)
    binned(samples.take(np.arange(200)))  # what is made once only
    size = samples.values.nbytes
    tracemalloc.start()
    try:
        binned(samples)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        at_once(samples)
        _, before = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < size / 4 < before
