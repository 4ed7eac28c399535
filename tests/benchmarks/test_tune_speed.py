"""The rows that tuning is timed on are rows to train on."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from tune_speed import made


def test_made_rows_have_all_classes_and_every_stock_in_every_session() -> None:
    samples = made(stocks=3, sessions=60, features=6)
    samples.require_trainable()
    assert len(samples) == 180 and set(samples.truth.tolist()) == {0, 1, 2}
    assert samples.values.shape == (180, 6)
