"""Online values against materialised ones: alike, and told apart when one side errs."""

import io
from typing import Any

import polars as pl
import pytest

from contracts import objects
from features.matrix.matrix import MatrixMissing
from features.matrix.skew import Skew, skew
from features.view import view

pytestmark = pytest.mark.integration

DAILY = view("daily_0")


def ask(market: Any, *instruments: str) -> Skew:
    sample = instruments or tuple(market.instruments)
    return skew(market.store, market.cut(market.sessions[-1]), DAILY, sample)


def rewrite(market: Any, change: pl.Expr) -> None:
    """Change the file of the newest session, as a batch with a bug would have written it."""
    [path] = market.store.query("SELECT DISTINCT path FROM materialisations")["path"].to_pylist()
    frame = pl.read_parquet(objects.get(path)).with_columns(change)
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    objects.put(path, buffer.getvalue())


def test_a_whole_history_and_the_last_rows_give_the_same(market: Any) -> None:
    market.load()
    at = market.close_of(market.sessions[-1])
    market.headline(at, "good news", 0.4)
    market.matrix()
    assert ask(market) == Skew(3 * len(DAILY.features), {})
    assert ask(market, "SIM002", "SIM009") == Skew(len(DAILY.features), {})


@pytest.mark.parametrize(
    ("change", "apart"),
    [
        (pl.col("mean_20") * 100, {"mean_20": 3}),
        (pl.lit(None, pl.Float32).alias("range_10"), {"range_10": 3}),
        (pl.col("volatility_20").shift(1, fill_value=0.5), {"volatility_20": 3}),
        (pl.col("momentum_5") * (1 + 1e-7), {}),
    ],
)
def test_a_bug_of_one_side_is_seen(market: Any, change: pl.Expr, apart: dict[str, int]) -> None:
    market.load()
    market.matrix(-1, -1)
    rewrite(market, change)
    assert ask(market).apart == apart


def test_an_instrument_that_one_side_lacks_differs_in_every_feature(market: Any) -> None:
    market.load()
    market.matrix(-1, -1)
    rewrite(market, pl.col("instrument_id").replace("SIM003", "SIM004"))
    found = ask(market)
    assert found.values == 3 * len(DAILY.features)
    present = set(DAILY.features) - {"news_sentiment_1"}  # null on both sides
    assert found.apart == dict.fromkeys(sorted(present, key=DAILY.features.index), 1)


def test_a_session_without_a_matrix_is_named(market: Any) -> None:
    market.load()
    with pytest.raises(MatrixMissing, match="no matrix of 2025-06-30"):
        ask(market)
