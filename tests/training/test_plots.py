"""Pictures of the evidence: the numbers in them, and that they are pictures."""

import numpy as np
import pytest

from training.evidence.plots import BINS, binned, reliability
from training.forecast import Classes
from training.objective import OBJECTIVES, Forecasts


def test_a_calibrated_forecast_lies_on_the_diagonal() -> None:
    random = np.random.default_rng(0)
    chances = random.random(50_000)
    given, came = binned(chances, random.random(50_000) < chances)
    assert len(given) == BINS and (np.diff(given) > 0).all()
    assert came == pytest.approx(given, abs=0.03)
    _, surer = binned(chances**2, random.random(50_000) < chances)
    assert surer[5] > 0.5 > given[5] ** 2


def test_a_picture_of_few_rows_is_drawn() -> None:
    chances = Classes(3).from_means(np.random.default_rng(0).random((4, 3)))
    few = Forecasts(OBJECTIVES.get("trend"), chances)
    assert reliability({"soft": few, "other": few}, np.array([0, 1, 2, 2])).startswith(b"\x89PNG")
