"""Primitives across instruments against scipy and numpy."""

import numpy as np
import pytest
from scipy.stats import rankdata

from features.panel import cross
from features.panel.series import Segments, Series

VALUES = np.array([3.0, 1.0, np.nan, 1.0, 2.0, np.nan, 7.0])


@pytest.fixture
def sessions() -> Series:
    """Three sessions: five instruments with a tie and a null, one that is null, one alone."""
    return Series.of(VALUES, Segments(np.array([0, 5, 6, 7]), "session"))


def test_ranks_are_shares_below_with_ties_halved(sessions: Series) -> None:
    present = VALUES[[0, 1, 3, 4]]
    wanted = (rankdata(present) - 0.5) / 4
    found = np.asarray(cross.rank(sessions))
    np.testing.assert_allclose(found[[0, 1, 3, 4]], wanted)
    np.testing.assert_array_equal(found[[2, 5, 6]], [np.nan, np.nan, 0.5])


def test_means_leave_nulls_out(sessions: Series) -> None:
    found = np.asarray(cross.mean(sessions))
    np.testing.assert_allclose(found, [1.75] * 5 + [np.nan, 7.0])


def test_means_within_groups_leave_others_out(sessions: Series) -> None:
    group = np.array([1.0, 2.0, 1.0, 1.0, np.nan, 1.0, 2.0])
    found = np.asarray(cross.mean(sessions, within=group))
    np.testing.assert_allclose(found, [2.0, 1.0, 2.0, 2.0, np.nan, np.nan, 7.0])
    empty = Series.of(np.empty(0), Segments(np.array([0]), "session"))
    assert len(cross.mean(empty, within=np.empty(0))) == 0


def test_segments_by_instrument_are_refused() -> None:
    with pytest.raises(TypeError, match="segments by session"):
        cross.rank(Series.of(VALUES, Segments(np.array([0, 7]), "instrument")))
