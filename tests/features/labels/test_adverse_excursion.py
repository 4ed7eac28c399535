"""The maximum adverse excursion on hand-made paths: entry at 100."""

import numpy as np
import pytest
from handmade import FLAT, path

from features.labels.adverse_excursion import AdverseExcursion

PATH = ((100, 108, 97, 99), (98, 104, 90, 103), (80, 120, 79, 120))


@pytest.mark.parametrize(
    ("horizon", "side", "worst"),
    [
        (1, "long", -0.03),
        (2, "long", -0.10),
        (3, "long", -0.21),
        (1, "short", -0.08),
        (2, "short", -0.08),
        (3, "short", -0.20),
    ],
)
def test_the_deepest_point_on_the_way(horizon: int, side: str, worst: float) -> None:
    rule = AdverseExcursion(horizon, side)  # type: ignore[arg-type]
    found = rule.settle(path((FLAT, *PATH)), np.empty((0, 4)))
    assert found.value[0] == pytest.approx(worst)
    assert found.total_return[0] == pytest.approx(PATH[horizon - 1][3] / 100 - 1)


def test_a_position_that_never_lost_has_none() -> None:
    rising = path((FLAT, (100, 103, 100, 102), (102, 105, 101, 105)))
    assert AdverseExcursion(2).settle(rising, np.empty((0, 3))).value[0] == 0.0


def test_a_dividend_makes_up_for_its_drop() -> None:
    paid = path((FLAT, *PATH[:2]), dividend=(0, 0, 8))
    found = AdverseExcursion(2).settle(paid, np.empty((0, 3)))
    assert found.value[0] == pytest.approx(-0.03)
    # On a short position it is a loss.
    short = AdverseExcursion(2, "short").settle(paid, np.empty((0, 3)))
    assert short.value[0] == pytest.approx(-0.12)


def test_what_could_not_be_bought_lost_nothing() -> None:
    gone = path((FLAT, *PATH), ended=np.datetime64("2025-03-20T21", "us"))
    found = AdverseExcursion(5).settle(gone, np.empty((0, 4)))
    assert (found.value[3], found.delisted[3]) == (0.0, True)
