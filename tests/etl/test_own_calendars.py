"""The converters of NSE stocks and commodities: folders with sessions that no library knows."""

import gzip
import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import commodities_files
import nifty_files

from contracts.settings import settings
from contracts.time.calendar import sessions

needs_data = pytest.mark.skipif(
    "FINPULSE_TEST_DATA" not in os.environ,
    reason="FINPULSE_TEST_DATA is unset: it names the folder with nifty50_daily and commodities",
)


@pytest.fixture
def load(load_raw: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Judge a converted folder on a main calendar."""

    def loaded(folder: Path, calendar: str) -> Any:
        monkeypatch.setenv("FINPULSE_DATA", str(folder))
        settings.cache_clear()
        return load_raw("files", settings().model_copy(update={"calendar": calendar}))

    return loaded


def test_special_sessions_of_a_market_are_added_and_closed_days_removed(
    tmp_path: Path, load: Any
) -> None:
    # Diwali of 2019 on a Sunday, the budget of 2020 on a Saturday; one day without any bar.
    days = [*sessions("XNSE", date(2019, 10, 1), date(2020, 2, 28)), date(2019, 10, 27)]
    days = [day for day in [*days, date(2020, 2, 1)] if day != date(2019, 12, 3)]
    rows = [(f"S{n}", f"S{n}", day.isoformat()) for n in range(6) for day in days]
    frame = pl.DataFrame(rows, ["file", "symbol", "date"], orient="row").with_columns(
        open=pl.lit(10.0), high=pl.lit(11.0), low=pl.lit(9.0), close=pl.lit(10.0), volume=pl.lit(5)
    )
    # A bar of one stock on another Sunday is a fault of that stock, not a session.
    odd = frame.head(1).with_columns(date=pl.lit("2019-11-10"))
    (tmp_path / "raw").mkdir()
    pl.concat([frame, odd, odd]).write_parquet(tmp_path / "raw" / "any.parquet")
    nifty_files.convert(tmp_path / "raw", tmp_path / "out")
    found = load(tmp_path / "out", "XNSE")
    told = {row["session"]: row["opens"] for row in found.good["trading_sessions"]}
    assert set(told) == {date(2019, 10, 27), date(2020, 2, 1), date(2019, 12, 3)}
    assert told[date(2019, 12, 3)] is None
    assert found.reasons == ["date is no session of the calendar"]
    assert len(found.good["bars"]) == 6 * len(days)
    muhurat = [b["known_at"] for b in found.good["bars"] if b["session"] == date(2019, 10, 27)]
    assert set(muhurat) == {datetime(2019, 10, 27, 14, 30, tzinfo=UTC)}


def test_commodities_keep_calendars_of_their_own(tmp_path: Path, load: Any) -> None:
    mcx = "date,open,high,low,close,volume\n2015-02-27,1,2,1,2,5\n2015-02-28,1,2,1,2,5\n"
    oil = "Date,Price\n1986-01-02,25.56\n1986-01-04,25.0\n"
    for name, text in (("mcx_gold_daily_2015_2022", mcx), ("wti_daily", oil)):
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    commodities_files.convert(tmp_path, tmp_path / "out")
    found = load(tmp_path / "out", "24/7")
    assert found.reasons == [] and len(found.good["bars"]) == 4
    known = {(b["instrument_id"], b["session"].day): b["known_at"] for b in found.good["bars"]}
    assert known["MCX_GOLD", 28] == datetime(2015, 2, 28, 18, 25, tzinfo=UTC)
    assert known["WTI", 4] == datetime(1986, 1, 4, 22, tzinfo=UTC)


@pytest.mark.data
@needs_data
@pytest.mark.slow
def test_nifty_loads_whole(tmp_path: Path, load: Any) -> None:
    nifty_files.convert(Path(os.environ["FINPULSE_TEST_DATA"]) / "nifty50_daily", tmp_path)
    found = load(tmp_path, "XNSE")
    assert found.reasons == [] and len(found.good["bars"]) == 195_930


@pytest.mark.data
@needs_data
@pytest.mark.slow
def test_no_row_of_the_commodities_is_lost(tmp_path: Path, load: Any) -> None:
    """The one that is refused says why: oil was sold below nothing on 20 April 2020."""
    source = Path(os.environ["FINPULSE_TEST_DATA"]) / "commodities"
    commodities_files.convert(source, tmp_path)
    found = load(tmp_path, "24/7")
    bars = pl.read_parquet(tmp_path / "bars.parquet")
    assert bars.height == 28_091
    known = bars.filter(pl.col("session") < date(2026, 1, 2))  # when the test asks
    early = [reason for reason in found.reasons if not reason.startswith("session lies in")]
    assert early == ["price is not positive"]
    assert len(found.good["bars"]) == known.height - 1
    # Those of the day itself and the next are outside what is asked for, later ones are refused.
    soon = bars.filter(pl.col("session").is_between(date(2026, 1, 2), date(2026, 1, 3)))
    assert len(found.reasons) == 1 + bars.height - known.height - soon.height
