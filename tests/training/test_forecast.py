"""Answers of every form, or an error."""

import numpy as np
import pytest
from answers import HEADS, answers, truths

from training.forecast import Classes, ForecastError, Head, Quantiles, Value, head
from training.objective import OBJECTIVES, Forecasts

TREND = OBJECTIVES.get("trend")


@pytest.mark.parametrize(
    "rows",
    [[[0.5, 0.5]], [[0.5, 0.6, 0.1]], [[1.2, -0.1, -0.1]], [[np.nan, 0.5, 0.5]]],
)
def test_what_is_no_probability_is_refused(rows: list[list[float]]) -> None:
    with pytest.raises(ForecastError):
        Forecasts(TREND, np.array(rows))


@pytest.mark.parametrize(
    ("of", "rows"),
    [
        (Value(), [[np.inf]]),
        (Value("log"), [[0.0]]),
        (Value("log"), [[-1.0]]),
        (Quantiles((0.1, 0.9)), [[2.0, 1.0]]),
        (Quantiles((0.1, 0.9)), [[1.0, np.nan]]),
    ],
)
def test_what_is_no_number_of_that_form_is_refused(of: Head, rows: list[list[float]]) -> None:
    with pytest.raises(ForecastError):
        of.require(np.array(rows))


def test_the_class_is_the_most_probable_one_unless_it_is_named() -> None:
    rows = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
    assert Forecasts(TREND, rows).point.tolist() == [2, 0]
    assert Forecasts(TREND, rows, np.array([1.0, 1.0])).point.tolist() == [1, 1]
    assert Forecasts(TREND, np.empty((0, 3))).point.tolist() == []


@pytest.mark.parametrize("of", HEADS, ids=str)
def test_scores_become_answers_and_heads_survive_json(of: Head) -> None:
    for n in (0, 1, 50):
        found = answers(of, n)
        assert found.shape == (n, of.width)
        of.require(found)
        assert of.point(found).shape == (n,)
        np.testing.assert_allclose(of.from_means(found ** getattr(of, "moment", 1)), found)
    assert head(of.as_json()) == of
    assert len(truths(of, 5)) == 5


def test_an_unknown_head_is_named() -> None:
    with pytest.raises(ForecastError, match=r"head of \['classes', .*found 'density'"):
        head({"kind": "density"})


def test_a_link_and_a_moment_lead_from_scores_to_the_value() -> None:
    scores = np.log(np.array([[0.04], [1.0]]))
    assert Value("log").from_scores(scores).ravel() == pytest.approx([0.04, 1.0])
    # Of a volatility the mean of the square is told.
    assert Value("log", 2).from_scores(scores).ravel() == pytest.approx([0.2, 1.0])
    assert Value().from_scores(scores) is scores or (Value().from_scores(scores) == scores).all()
    assert Quantiles((0.1, 0.5, 0.9)).point(np.array([[1.0, 2.0, 9.0]])).tolist() == [2.0]


def test_what_weighs_nothing_can_be_brought_to_one() -> None:
    raw = np.array([[1, 1, 2]], dtype=np.float32)
    assert Classes(3).from_means(raw).tolist() == [[0.25, 0.25, 0.5]]
    assert Classes(3).from_scores(np.array([[0.0, 0.0, np.log(2.0)]]))[0] == pytest.approx(
        [0.25, 0.25, 0.5]
    )
