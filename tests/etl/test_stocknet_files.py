"""The converter of StockNet: what it derives, against numbers that are known."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import stocknet_files as converter

from contracts.settings import settings


def prices(ticker: str, closes: list[float], dividend: float = 0.0) -> pl.DataFrame:
    """Sessions of July 2014, with one dividend on the third as Yahoo adjusts for it."""
    days = [date(2014, 7, day).isoformat() for day in (1, 2, 3, 7)]
    factor = 1 - dividend / closes[1]
    adjusted = [close * (factor if i < 2 else 1) for i, close in enumerate(closes)]
    frame = {"ticker": [ticker] * 4, "date": days, "close": closes, "adj_close": adjusted}
    frame |= {"open": closes, "high": closes, "low": closes, "volume": [9.0] * 4}
    return pl.DataFrame(frame)


def test_a_dividend_is_what_the_adjustment_takes_away() -> None:
    frame = pl.concat([prices("AAA", [90.0, 94.0, 95.0, 93.0], 0.47), prices("BBB", [5.0] * 4)])
    assert converter.dividends(frame).to_dicts() == [
        {"symbol": "AAA", "ex_date": "2014-07-03", "kind": "dividend", "value": 0.47}
    ]


@pytest.fixture
def stocknet(tmp_path: Path) -> Path:
    """A data set of two tickers and one tweet that was filed under both."""
    at = datetime(2014, 7, 2, 15, tzinfo=UTC)
    prices("AAA", [90.0, 94.0, 95.0, 93.0], 0.47).vstack(prices("BBB", [5.0] * 4)).write_parquet(
        tmp_path / "prices_raw.parquet"
    )
    tweets = [(name, number, at, f"tweet {number}") for name, number in
              (("AAA", 1), ("BBB", 1), ("AAA", 2), ("GONE", 3))]  # fmt: skip
    pl.DataFrame(tweets, ["ticker", "tweet_id", "created_at", "text"], orient="row").write_parquet(
        tmp_path / "tweets_raw.parquet"
    )
    table = "Sector\tSymbol\tCompany\nBasic Matierials\t$AAA\tTriple A, Inc.\nOil\t$BBB\tBee\n"
    (tmp_path / "StockTable.tsv").write_text(table)
    return tmp_path


def test_the_converted_folder_loads_whole(
    stocknet: Path, tmp_path: Path, load_raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    converter.convert(stocknet, tmp_path / "out")
    monkeypatch.setenv("FINPULSE_DATA", str(tmp_path / "out"))
    settings.cache_clear()
    found = load_raw("files")
    assert found.reasons == []
    assert {bar["adjustment"] for bar in found.good["bars"]} == {"split"}
    assert [row["native_id"] for row in found.good["headlines"]] == ["1", "2"]
    assert len(found.good["headline_symbols"]) == 3
    assert {row["name"] for row in found.good["instruments"]} == {"Triple A, Inc.", "Bee"}
    of_sectors = [row for row in found.good["memberships"] if row["universe"].startswith("sector:")]
    assert {(row["instrument_id"], row["universe"]) for row in of_sectors} == {
        ("AAA", "sector:Basic Materials"),
        ("BBB", "sector:Oil"),
    }


def test_the_most_told_of_come_first() -> None:
    tweets = pl.DataFrame({"ticker": ["BBB", "GONE", "GONE", "AAA", "BBB"]})
    frame = pl.DataFrame({"ticker": ["AAA", "BBB"]})
    assert converter.most_told(frame, tweets, 1) == ["BBB"]
