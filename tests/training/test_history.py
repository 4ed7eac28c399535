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


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=4), min_size=1, max_size=4),
    window=st.integers(1, 8),
)
def test_no_sequence_of_minutes_crosses_sessions(lengths: list[list[int]], window: int) -> None:
    """Row values are (instrument, session, place); one session has two minutes at least."""
    lengths[0][0] += 1
    keys = np.array(
        [(i, day, place) for i, own in enumerate(lengths) for day, n in enumerate(own)
         for place in range(n)]
    )  # fmt: skip
    names = np.array([f"SIM{i:02d}" for i in keys[:, 0]])
    days = np.datetime64("2024-01-01") + keys[:, 1]
    found = History.of(names, days, keys.astype(np.float32)).windows(np.arange(len(keys)), window)
    for (instrument, day, place), sequence in zip(keys.tolist(), found, strict=True):
        there = sequence[~np.isnan(sequence[:, 0])]
        assert there[:, 2].tolist() == list(range(max(place - window + 1, 0), place + 1))
        assert (there[:, :2] == (instrument, day)).all()
    assert lookback(window, "1m").days == 0


def test_no_rows_have_no_sequences() -> None:
    none = History.of(np.empty(0, "U6"), np.empty(0, "datetime64[D]"), np.empty((0, 2), np.float32))
    assert none.windows(np.empty(0, np.intp), 5).shape == (0, 5, 2)


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
