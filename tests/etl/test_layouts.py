"""Layouts in common use: each row of the table in docs/files_layout.md on a file made here."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from contracts.settings import settings
from etl.folder.layouts import LAYOUTS

DAY = date(2024, 7, 2)
PRICES = (10.0, 12.0, 9.0, 11.0, 900.0)
_UDIFF = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,OpnPric,HghPric,LwPric,"
    "ClsPric,LastPric,PrvsClsgPric,TtlTradgVol,TtlTrfVal\n"
    "2024-07-02,2024-07-02,CM,NSE,STK,1,INE000,AAPL,EQ,10,12,9,11,11,10,900,9000\n"
    "2024-07-02,2024-07-02,CM,NSE,STK,2,INE001,AAPL,GB,99,99,99,99,99,99,1,1\n"
)
_OLD = (
    "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,TOTALTRADES,"
    "ISIN,\nAAPL,EQ,10,12,9,11,11,10,900,9000,02-JUL-2024,5,INE000,\n"
)
_FULL = (
    "SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE,"
    " AVG_PRICE, TTL_TRD_QNTY\nAAPL, EQ, 02-Jul-2024, 10, 10, 12, 9, 11, 11, 10, 900\n"
)
# Layout, file, content, adjustment, actions beside the prices.
MADE = [
    ("ours", "bars.csv",
     "symbol,session,open,high,low,close,volume\naapl,2024-07-02,10,12,9,11,900\n", "none", []),
    ("ours", "bars/part.csv.gz",
     "symbol,session,open,high,low,close,volume\nAAPL,2024-07-02,10,12,9,11,900\n", "none", []),
    ("ours", "Bars/AAPL.CSV", "session,open,high,low,close,volume\n2024-07-02,10,12,9,11,900\n",
     "none", []),
    ("date, open, high, low, close, volume", "AAPL.csv",
     "date,open,high,low,close,volume\n2024-07-02,10,12,9,11,900\n", "none", []),
    ("csvdir", "daily/AAPL.csv",
     "date,open,high,low,close,volume,dividend,split\n2024-07-02,10,12,9,11,900,0.25,2.0\n",
     "none", [("dividend", 0.25), ("split", 2.0)]),
    ("Yahoo as traded but for splits (yfinance)", "AAPL.csv",
     "Date,Open,High,Low,Close,Adj Close,Volume\n2024-07-02,10,12,9,11,10.5,900\n", "split", []),
    ("Yahoo as traded but for splits (yfinance)", "AAPL.csv",
     "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n"
     "2024-07-02 00:00:00-04:00,10,12,9,11,10.5,900,0.25,0.0\n", "split", [("dividend", 0.25)]),
    ("Yahoo adjusted (yfinance)", "AAPL.csv",
     "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
     "2024-07-02 00:00:00-04:00,10,12,9,11,900,0.25,0.0\n", "split_dividend", [("dividend", 0.25)]),
    ("Stooq", "bars/aapl.txt",
     "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
     "AAPL,D,20240702,000000,10,12,9,11,900,0\n", "split_dividend", []),
    ("Alpha Vantage adjusted", "AAPL.csv",
     "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient\n"
     "2024-07-02,10,12,9,11,10.5,900,0.2500,1.0\n", "none", [("dividend", 0.25)]),
    ("Alpha Vantage", "AAPL.csv",
     "timestamp,open,high,low,close,volume\n2024-07-02,10,12,9,11,900\n", "none", []),
    ("Quandl WIKI", "AAPL.csv",
     "Date,Open,High,Low,Close,Volume,Ex-Dividend,Split Ratio,Adj. Open,Adj. High,Adj. Low,"
     "Adj. Close,Adj. Volume\n2024-07-02,10,12,9,11,900,0.25,1.0,1,1,1,1,9000\n",
     "none", [("dividend", 0.25)]),
    ("NSE bhavcopy, UDiFF", "BhavCopy_NSE_CM_0_0_0_20240702_F_0000.csv", _UDIFF, "none", []),
    ("NSE bhavcopy", "cm02JUL2024bhav.csv.gz", _OLD, "none", []),
    ("NSE bhavcopy with deliveries", "bars/sec_bhavdata_full_02072024.csv", _FULL, "none", []),
]  # fmt: skip


def put(folder: Path, name: str, text: str) -> None:
    """Write a file of the folder, packed where its name says so."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without files, which the settings name."""
    folder = tmp_path / "facts"
    folder.mkdir()
    monkeypatch.setenv("FINPULSE_DATA", str(folder))
    settings.cache_clear()
    return folder


@pytest.mark.parametrize("made", MADE, ids=lambda made: f"{made[0]}: {made[1]}")
def test_a_layout_is_read(empty: Path, load_raw: Any, made: tuple[str, str, str, str, Any]) -> None:
    layout, name, text, adjustment, actions = made
    put(empty, name, text)
    found = load_raw("files")
    assert found.reasons == []
    [bar] = found.good["bars"]
    assert (bar["instrument_id"], bar["session"], bar["adjustment"]) == ("AAPL", DAY, adjustment)
    assert tuple(bar[key] for key in ("open", "high", "low", "close", "volume")) == PRICES
    assert [(a["kind"], a["value"]) for a in found.good.get("actions", [])] == actions
    [listed] = found.good["instruments"]
    home = ("XNSE", "INR") if layout.startswith("NSE") else ("XNYS", "USD")
    assert (listed["calendar"], listed["currency"]) == home


def test_every_layout_is_tested_and_documented() -> None:
    assert {layout.name for layout in LAYOUTS} == {layout for layout, *_ in MADE}
    text = (Path(__file__).parents[2] / "docs" / "files_layout.md").read_text()
    for layout in LAYOUTS:
        assert layout.name in text


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/London", "America/New_York", "+05:30"])
def test_parquet_of_a_zoned_index_keeps_its_days(empty: Path, load_raw: Any, zone: str) -> None:
    import pandas as pd

    index = pd.date_range("2024-07-01", periods=3, tz=zone, name="Date")
    prices = {"Open": 10.0, "High": 12.0, "Low": 9.0, "Close": 11.0, "Volume": 900}
    (empty / "bars").mkdir()
    pd.DataFrame(prices, index=index).to_parquet(empty / "bars" / "AAPL.parquet")
    found = load_raw("files")
    days = [date(2024, 7, 1), date(2024, 7, 2), date(2024, 7, 3)]
    assert [bar["session"] for bar in found.good["bars"]] == days


def test_whole_numbers_are_dates_where_they_can_be(empty: Path, load_raw: Any) -> None:
    frame = {"symbol": ["AAPL"] * 2, "session": [20240702, 17], "open": 1.0, "high": 1.0}
    pl.DataFrame(frame | {"low": 1.0, "close": 1.0, "volume": 5}).write_parquet(
        empty / "bars.parquet"
    )
    found = load_raw("files")
    assert [bar["session"] for bar in found.good["bars"]] == [DAY]
    assert found.reasons == ["session is not a date: 17"]


def test_hours_are_no_days(empty: Path, load_raw: Any) -> None:
    head = "Datetime,Open,High,Low,Close,Adj Close,Volume"
    rows = [f"2024-07-02 {hour}:30:00-04:00,10,12,9,11,11,900" for hour in ("09", "10", "11")]
    put(empty, "AAPL.csv", "\n".join([head, *rows]))
    put(empty, "bars/BBB.csv", "date,open,high,low,close,volume\n2024-07-02,10,12,9,11,900\n")
    found = load_raw("files")
    assert [bar["instrument_id"] for bar in found.good["bars"]] == ["BBB"]
    assert len(found.reasons) == 3 and "several times of one day" in found.reasons[0]


FNSPID = (
    "Unnamed: 0,Date,Article_title,Stock_symbol,Url,Publisher\n"
    '0,2024-07-02 14:00:00 UTC,"Apple &amp; others ""beat""",AAPL,https://example.com/a,X\n'
    '1,2024-07-02 15:00:00 UTC,"An article\nof two lines",AAPL,https://example.com/b,X\n'
    '2,2024-07-02 16:00:00 UTC,"open,AAPL,https://example.com/c,X\n'
    "3,2024-07-02 17:00:00 UTC,Fine,AAPL,https://example.com/d,X\n"
)


def test_headlines_as_csv_are_read_and_an_open_quote_swallows_nothing(
    empty: Path, load_raw: Any
) -> None:
    put(empty, "AAPL.csv", "date,open,high,low,close,volume\n2024-07-02,10,12,9,11,900\n")
    put(empty, "headlines.csv.gz", FNSPID)
    found = load_raw("files")
    told = {row["native_id"][-1]: row["text"] for row in found.good["headlines"]}
    assert told == {"a": 'Apple & others "beat"', "b": "An article of two lines", "d": "Fine"}
    assert found.reasons == ["a quote is not closed, or text follows one"]
    assert {row["instrument_id"] for row in found.good["headline_symbols"]} == {"AAPL"}


def test_headlines_without_a_name_are_named_by_what_they_say(empty: Path, load_raw: Any) -> None:
    put(empty, "AAPL.csv", "date,open,high,low,close,volume\n2024-07-02,10,12,9,11,900\n")
    text = "title,date,stock\nUp,2024-07-02 10:30:00-04:00,AAPL\nNo time,2024-07-02,AAPL\n"
    put(empty, "headlines/ratings.csv", text)
    put(empty, "headlines_AAPL.csv", "Date,Headline,URL\n2024-07-02T14:00:00Z,Mine,u1\n")
    found = load_raw("files")
    assert {row["text"] for row in found.good["headlines"]} == {"Up", "Mine"}
    assert found.good["headlines"][0]["event_time"] in (
        datetime(2024, 7, 2, 14, 30, tzinfo=UTC), datetime(2024, 7, 2, 14, tzinfo=UTC),
    )  # fmt: skip
    assert len(found.good["headline_symbols"]) == 2
    assert found.reasons == ["not a time with its zone: 2024-07-02"]


def test_a_dividend_before_a_split_is_told_as_it_was_paid(empty: Path, load_raw: Any) -> None:
    head = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits"
    rows = ["2024-07-01,10,12,9,11,10,900,0.25,0", "2024-07-02,10,12,9,11,10,900,0,4.0"]
    put(empty, "AAPL.csv", "\n".join([head, *rows]))
    found = {row["kind"]: row["value"] for row in load_raw("files").good["actions"]}
    assert found == {"dividend": 1.0, "split": 4.0}
