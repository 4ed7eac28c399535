"""The recounted label protocols, against hand-made windows and the published counts."""

import os
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import label_protocols as protocols
from label_protocols import Count

# Monday 2014-03-03 to Friday 2014-03-14.
DAYS = [date(2014, 3, day) for day in (3, 4, 5, 6, 7, 10, 11, 12, 13, 14)]


@pytest.fixture
def data() -> Iterator[Path]:
    folder = os.environ.get("FINPULSE_TEST_DATA")
    if not folder:
        pytest.skip("FINPULSE_TEST_DATA is unset: it names the folder with stocknet")
    yield Path(folder)


def prices(movements: list[float]) -> pl.DataFrame:
    return pl.DataFrame(
        {"ticker": ["AAA"] * len(DAYS), "date": DAYS, "movement_percent": movements}
    )


def tweets(*days: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"ticker": ["AAA"] * len(days), "file_date": [date(2014, 3, day) for day in days]}
    )


def kept(*tweeted: int) -> list[int]:
    frame = prices([0.01] * len(DAYS))
    found = protocols.with_tweets(protocols.stocknet(frame), frame, tweets(*tweeted))
    return [day.day for day in found["date"]]


def test_the_dead_zone_is_closed_below_and_open_above() -> None:
    movements = [-0.0051, -0.005, 0.0, 0.0054, 0.0055, 0.02, -0.02, 0.001, -0.001, 0.005]
    found = protocols.stocknet(prices(movements))
    assert [(day.day, up) for day, up in zip(found["date"], found["up"], strict=True)] == [
        (3, False),
        (7, True),
        (10, True),
        (11, False),
    ]


def test_each_day_of_the_window_needs_a_tweet_of_the_days_before_it() -> None:
    # The window of Friday 14th is 10th to 14th: the weekend's tweets belong to Monday 10th.
    assert 14 in kept(9, 10, 11, 12, 13)
    for missing in (9, 10, 11, 12, 13):
        assert 14 not in kept(*{9, 10, 11, 12, 13} - {missing})
    # A tweet of the day itself tells nothing that was known before it.
    assert 14 not in kept(9, 10, 11, 12, 14)


def test_a_trading_day_must_lie_before_the_window() -> None:
    # Monday 10th looks back to Thursday 6th; the first rows have nothing before their window.
    assert kept(*range(1, 15)) == [10, 11, 12, 13, 14]


def test_a_window_with_a_missing_value_gives_no_sample() -> None:
    frame = pl.DataFrame(
        {"ticker": ["AAA"] * 10, "row": range(10)}
        | {str(i): [0.1] * 10 for i in range(11)}
        | {"11": [1, -1, 1, 0, 1, -1, 1, 1, 1, 1]}
    )
    full = protocols.adv_alstm(frame, DAYS, window=3)
    # Rows 0 to 2 have no window before them, row 3 is dropped by its label.
    assert [day.day for day in full["date"]] == [7, 10, 11, 12, 13, 14]
    place = pl.int_range(pl.len()) == 5
    holed = frame.with_columns(pl.when(place).then(-123321.0).otherwise("4").alias("4"))
    found = protocols.adv_alstm(holed, DAYS, window=3)
    # Row 5 itself keeps its sample: only the rows before a label are looked at.
    assert [day.day for day in found["date"]] == [7, 10, 14]


@pytest.mark.data
def test_stocknet_is_counted_as_published(data: Path) -> None:
    table, told = protocols.read_stocknet(data / "stocknet")
    samples = protocols.stocknet(table)
    found = protocols.counts(samples)
    assert {split: count.n for split, count in found.items()} == {
        "train": 20_345,
        "dev": 2_555,
        "test": 3_720,
    }
    released = protocols.counts(protocols.with_tweets(samples, table, told))
    assert released["test"] == Count(1_008, 579)
    assert (released["train"].n, released["dev"].n) == (4_987, 656)


@pytest.mark.data
def test_adv_alstm_is_counted_as_published(data: Path) -> None:
    found = protocols.counts(
        protocols.adv_alstm(*protocols.read_adv_alstm(data / "acl18_features"), window=5)
    )
    assert [count.n for count in found.values()] == [20_315, 2_555, 3_720]
