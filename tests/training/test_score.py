"""Scores against scikit-learn, on made-up forecasts."""

import numpy as np
import pytest
from sklearn import metrics

from training.evidence.score import tally
from training.forecast import Classes, Floats
from training.objective import Forecasts
from training.objectives.trend import Trend, log_losses

RANDOM = np.random.default_rng(3)
N, SESSIONS = 600, 30
TRUTH = RANDOM.integers(0, 3, N)
DAYS = np.sort(RANDOM.integers(0, SESSIONS, N)).astype("datetime64[D]")
TREND, normalised = Trend(), Classes(3).from_means


def forecasts(chances: Floats) -> Forecasts:
    return Forecasts(TREND, chances)


FORECASTS = forecasts(normalised(RANDOM.random((N, 3)) + 0.5 * np.eye(3)[TRUTH]))


def reference(said: Forecasts, truth: np.ndarray) -> dict[str, float]:
    labels, chances, moved = said.point, said.values, truth != 1
    return {
        "accuracy": metrics.accuracy_score(truth, labels),
        "macro_f1": metrics.f1_score(truth, labels, average="macro"),
        "mcc": metrics.matthews_corrcoef(truth, labels),
        "log_loss": metrics.log_loss(truth, chances, labels=[0, 1, 2]),
        "brier": float(((chances - np.eye(3)[truth]) ** 2).sum(axis=1).mean()),
        "direction_loss": metrics.log_loss(
            truth[moved] == 2, chances[moved, 2] / chances[moved][:, [0, 2]].sum(axis=1)
        ),
    }


def test_scores_equal_those_of_scikit_learn() -> None:
    found = tally(FORECASTS, TRUTH, DAYS)
    for name, expected in reference(FORECASTS, TRUTH).items():
        assert found.scores()[name][0] == pytest.approx(expected, abs=1e-12)


def test_the_brier_score_equals_scikit_learns_sum_over_classes() -> None:
    expected = sum(metrics.brier_score_loss(c == TRUTH, FORECASTS.values[:, c]) for c in range(3))
    assert tally(FORECASTS, TRUTH, DAYS).scores()["brier"][0] == pytest.approx(expected)


def test_leaving_a_session_out_scores_the_others() -> None:
    found = tally(FORECASTS, TRUTH, DAYS)
    left_out = found.left_out()
    for place in (0, 7, len(found.sessions) - 1):
        rows = np.flatnonzero(found.sessions[place] != DAYS)
        part = forecasts(FORECASTS.values[rows])
        for name, expected in reference(part, TRUTH[rows]).items():
            assert left_out[name][place] == pytest.approx(expected, abs=1e-12)


def test_of_one_session_none_can_be_left_out() -> None:
    one = tally(FORECASTS, TRUTH, np.zeros(N, "datetime64[D]"))
    assert all(len(values) == 0 for values in one.left_out().values())


def test_a_constant_forecast_has_no_correlation() -> None:
    constant = forecasts(np.tile([0.2, 0.2, 0.6], (N, 1)))
    assert tally(constant, TRUTH, DAYS).scores()["mcc"][0] == 0


def test_the_chance_of_no_move_plays_no_part_in_the_direction() -> None:
    calm = FORECASTS.values.copy()
    calm[:, 1] *= RANDOM.uniform(0.2, 5, N)
    other = tally(forecasts(normalised(calm)), TRUTH, DAYS).scores()
    before = tally(FORECASTS, TRUTH, DAYS).scores()
    assert other["direction_loss"] == pytest.approx(before["direction_loss"], abs=1e-12)
    assert other["log_loss"] != pytest.approx(before["log_loss"], abs=1e-3)


def test_a_hopeless_row_has_a_finite_loss() -> None:
    sure = forecasts(np.array([[0.0, 0.0, 1.0]]))
    assert log_losses(sure, np.array([0]))[0] == pytest.approx(-np.log(1e-15))
