"""A sequence holds one instrument's rows, oldest first, and nothing from beyond its reach."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from training.bundle.history import History, lookback
from training.samples.samples import BATCH, Samples, from_matrix


def history(lengths: list[int], gap: int = 0) -> History:
    """Row values are (instrument, place); each instrument pauses `gap` days in the middle."""
    names = np.repeat([f"SIM{i:02d}" for i in range(len(lengths))], lengths)
    place = np.concatenate([np.arange(n) for n in lengths])
    late = place >= np.repeat([n // 2 for n in lengths], lengths)
    days = np.datetime64("2024-01-01") + place + np.where(late, gap, 0)
    values = np.column_stack([np.repeat(np.arange(len(lengths)), lengths), place])
    return History.of(names, days, values.astype(np.float32))


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5), window=st.integers(1, 15))
def test_no_sequence_crosses_instruments(lengths: list[int], window: int) -> None:
    made = history(lengths)
    rows = np.arange(sum(lengths))
    found = made.windows(rows, window)
    assert found.shape == (len(rows), window, 2)
    assert (found[:, -1] == made.values).all()
    for row, sequence in zip(made.values, found, strict=True):
        there = sequence[~np.isnan(sequence[:, 0])]
        assert (there[:, 0] == row[0]).all(), "rows of another instrument"
        assert there[:, 1].tolist() == list(range(int(row[1] + 1) - len(there), int(row[1] + 1)))
        assert len(there) == min(window, int(row[1]) + 1)


def test_a_long_halt_cuts_the_sequence_short() -> None:
    window = 4
    gap = lookback(window).days
    made = history([8], gap)
    [over] = made.windows(np.array([5]), window)
    assert np.isnan(over[:, 0]).tolist() == [True, True, False, False]
    [within] = history([8], gap - window).windows(np.array([5]), window)
    assert within[:, 1].tolist() == [2, 3, 4, 5]


def test_who_loads_the_days_before_gathers_the_same(matrix: Callable[..., pa.Table]) -> None:
    whole = matrix(sessions=60)
    window, days = 7, np.unique(whole["session"].to_numpy())
    begin = days[-10] - np.timedelta64(lookback(window))
    part = from_matrix(whole.filter(pa.array(whole["session"].to_numpy() >= begin)))
    every = from_matrix(whole)
    newest, same = (s.take(s.sessions >= days[-10]) for s in (every, part))
    np.testing.assert_array_equal(newest.windows(window), same.windows(window))


def test_rows_without_a_truth_are_there_to_look_back_on(matrix: Callable[..., pa.Table]) -> None:
    table = matrix(sessions=30)
    unknown = pa.array([i % 3 == 0 for i in range(table.num_rows)])
    labels = pa.compute.if_else(unknown, None, table["label"])
    place = table.column_names.index("label")
    every, some = from_matrix(table), from_matrix(table.set_column(place, "label", labels))
    kept = every.take(~unknown.to_numpy(zero_copy_only=False))
    np.testing.assert_array_equal(kept.windows(5), some.windows(5))


def test_windows_are_gathered_batch_by_batch(samples: Samples) -> None:
    seen: list[int] = []
    many = samples.take(np.arange(2 * BATCH + 5) % len(samples))

    def model(windows: np.ndarray) -> np.ndarray:
        seen.append(len(windows))
        return np.full((len(windows), 3), 1 / 3)

    assert many.answers(20, model).shape == (2 * BATCH + 5, 3)
    assert seen == [BATCH, BATCH, 5]
    assert samples.take(np.arange(0)).answers(20, model).shape == (0, 3)
