"""From a matrix to arrays."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from contracts.time.calendar import session_close
from training.samples.samples import Samples, TrainingError, common, from_matrix, stamp


def test_nulls_become_nan_and_unsettled_rows_are_left_out(
    matrix: Callable[..., pa.Table],
) -> None:
    table = matrix(sessions=40)
    labels = table["label"].to_pylist()
    labels[3] = None
    place = table.column_names.index("label")
    samples = from_matrix(table.set_column(place, "label", pa.array(labels, pa.int64())))
    assert len(samples) == table.num_rows - 1
    assert samples.features == ("momentum", "volatility", "mood")
    assert len(samples.history.values) == table.num_rows
    kept = table.filter(pa.array([label is not None for label in labels]))
    for place, name in enumerate(samples.features):
        assert np.isnan(samples.values[:, place]).sum() == kept[name].null_count > 0
    assert samples.values.dtype == np.float32
    assert np.isnan(samples.beside["persistence"][:5]).all()
    assert set(samples.beside) == {"persistence", "return_before"}


def test_rows_are_sorted_by_session_whatever_the_table(matrix: Callable[..., pa.Table]) -> None:
    table = matrix(sessions=20)
    mixed = table.take(np.random.default_rng(0).permutation(table.num_rows))
    assert from_matrix(mixed).truth.tolist() == from_matrix(table).truth.tolist()


def test_settled_by_includes_the_moment_itself(samples: Samples) -> None:
    moment = session_close("XNYS", date(2025, 6, 2))
    known = samples.settled_by(moment)
    assert known.settled_at.max() == stamp(moment)
    assert known.sessions.max() == np.datetime64("2025-05-30")


def test_too_few_rows_and_one_class_are_named(samples: Samples) -> None:
    with pytest.raises(TrainingError, match="at least 100 settled rows, found 30"):
        samples.take(np.arange(30)).require_trainable()
    with pytest.raises(TrainingError, match="only 2"):
        samples.with_truth(np.full(len(samples), 2)).require_trainable()


def test_common_rows_are_paired_whatever_is_missing(samples: Samples) -> None:
    random = np.random.default_rng(0)
    left, right = (samples.take(random.random(len(samples)) < 0.7) for _ in range(2))
    a, b = common(left, right)
    assert (a.instruments == b.instruments).all() and (a.sessions == b.sessions).all()
    assert (a.truth == b.truth).all() and 0.4 < len(a) / len(samples) < 0.58
    none = common(samples.take(np.arange(6)), samples.take(np.arange(6, 12)))
    assert [len(part) for part in none] == [0, 0]


def test_the_features_that_are_asked_for_come_in_that_order(
    matrix: Callable[..., pa.Table],
) -> None:
    table = matrix(sessions=20)
    some = from_matrix(table, ("mood", "momentum"))
    whole = from_matrix(table)
    assert some.features == ("mood", "momentum")
    np.testing.assert_array_equal(some.values, whole.values[:, [2, 0]])
    np.testing.assert_array_equal(some.column("momentum"), whole.values[:, 0])
    with pytest.raises(TrainingError, match=r"expected the feature volatility .*mood, momentum"):
        some.column("volatility")


def test_a_truth_that_is_a_number_stays_one(matrix: Callable[..., pa.Table]) -> None:
    table = matrix(sessions=20)
    place, numbers = table.column_names.index("label"), table["total_return"]
    samples = from_matrix(table.set_column(place, "label", numbers))
    assert samples.truth.dtype == np.float64 and len(np.unique(samples.truth)) == len(samples)
    assert from_matrix(table).truth.dtype == np.int64
