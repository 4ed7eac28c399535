"""Sessions that are unlike those before: many columns at once, as one number per session."""

import numpy as np
import pytest

from monitoring.alarms.features import unlike
from monitoring.watch.chart import YEAR, chart

PAST, COLUMNS = 300, 40


def session_rows(seed: int, memory: float = 0.8) -> np.ndarray:
    """Columns of sessions that share a third of what moves them, and last."""
    draw = np.random.default_rng(seed)
    shared = draw.normal(size=(PAST + YEAR, 1))
    shocks = np.sqrt(1 / 3) * shared + np.sqrt(2 / 3) * draw.normal(size=(PAST + YEAR, COLUMNS))
    rows = shocks.copy()
    for t in range(1, len(rows)):
        rows[t] = memory * rows[t - 1] + shocks[t]
    return rows


def test_the_number_is_the_mean_square_in_deviations_of_the_past() -> None:
    draw = np.random.default_rng(1)
    rows = draw.normal(5.0, 2.0, (80, 7))

    def told(others: np.ndarray, asked: np.ndarray) -> np.ndarray:
        far = (asked - others.mean(axis=0)) / others.std(axis=0)
        # Nulls have columns of their own, in which nothing lies off here.
        found: np.ndarray = np.log((np.clip(far, -8, 8) ** 2).mean(axis=1) / 2 + 1e-6)
        return found

    found = unlike(rows, 60)
    assert found[60:] == pytest.approx(told(rows[:60], rows[60:]))
    # A fifth of the past is told by its other four.
    assert found[:12] == pytest.approx(told(rows[12:60], rows[:12]))
    assert found[24:36] == pytest.approx(told(np.delete(rows[:60], range(24, 36), 0), rows[24:36]))
    assert unlike(1e6 * rows - 3, 60) == pytest.approx(found)
    assert unlike(rows[:0], 60).shape == (0,)


def test_what_never_moved_is_far_when_it_does_and_nulls_are_seen() -> None:
    rows = np.random.default_rng(2).normal(size=(80, 5))
    rows[:, 0] = 7.0
    moved, gone = rows.copy(), rows.copy()
    moved[70:, 0] += 0.01
    gone[70:, 1] = np.nan
    usual = unlike(rows, 60)[70:]
    assert (unlike(moved, 60)[70:] > usual + 1).all()
    assert np.isfinite(unlike(gone, 60)).all()


@pytest.mark.slow
def test_panels_that_do_not_drift_keep_the_budget_and_a_broken_feed_is_noticed() -> None:
    alarmed, late = 0, list[int]()
    for seed in range(24):
        rows = session_rows(seed)
        still = chart(unlike(rows, PAST), PAST, 1, both=False, seed=seed)
        assert still is not None
        alarmed += bool((still.numbers > still.threshold).any())
        rows[PAST + 20 :, : COLUMNS // 10] += 20.0
        broken = chart(unlike(rows, PAST), PAST, 1, both=False, seed=seed)
        assert broken is not None
        noticed = np.flatnonzero(broken.numbers[20:] > broken.threshold)
        late.append(int(noticed[0]) + 1 if len(noticed) else YEAR)
    print(f"{alarmed} of 24 years alarm; a tenth of the features that break are noticed after "
          f"{np.median(late):.0f} sessions, {max(late)} at most")  # fmt: skip
    assert alarmed <= 7 and np.median(late) <= 30
