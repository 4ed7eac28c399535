"""Probabilities, or an error."""

import numpy as np
import pytest

from training.forecast import ForecastError, Forecasts, normalised


@pytest.mark.parametrize(
    "rows",
    [[[0.5, 0.5]], [[0.5, 0.6, 0.1]], [[1.2, -0.1, -0.1]], [[np.nan, 0.5, 0.5]]],
)
def test_what_is_no_probability_is_refused(rows: list[list[float]]) -> None:
    with pytest.raises(ForecastError):
        Forecasts(np.array(rows))


def test_the_label_is_the_most_probable_class_unless_it_is_given() -> None:
    rows = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
    assert Forecasts(rows).labels.tolist() == [2, 0]
    assert Forecasts(rows, hard=np.array([1, 1])).labels.tolist() == [1, 1]
    assert Forecasts(np.empty((0, 3))).labels.tolist() == []


def test_normalised_rows_sum_to_one() -> None:
    assert normalised(np.array([[1, 1, 2]], dtype=np.float32)).tolist() == [[0.25, 0.25, 0.5]]
