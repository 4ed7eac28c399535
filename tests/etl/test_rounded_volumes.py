"""A later consolidation rounds volumes, and makes no version of any bar."""

import json
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from contracts.settings import settings
from contracts.store import Store
from contracts.tables import BARS
from contracts.universe import universe
from etl.batch.batch import Batch
from etl.load import append, collect
from etl.plausible.rounded_volumes import steady
from etl.quality.clean import clean
from etl.source import SOURCES

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
AT = datetime(2024, 7, 1, 20, tzinfo=UTC)
SPLIT = {"instrument_id": ["AAA"], "ex_date": [date(2024, 7, 9)], "value": [0.1]}


def bar(volume: float, close: float = 10.0) -> pl.DataFrame:
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    row = {"instrument_id": "AAA", "interval": "1d", "session": date(2024, 7, 1), "event_time": AT}
    return pl.DataFrame([row | prices | {"volume": volume, "adjustment": "none"}])


@pytest.mark.parametrize(
    ("told", "close", "kept"),
    [
        (12_350.0, 10.0, 12_345.0),
        (12_340.0, 10.0, 12_345.0),
        (12_360.0, 10.0, 12_360.0),
        (12_350.0, 10.1, 12_350.0),
    ],
)
def test_only_the_rounding_is_kept_out(told: float, close: float, kept: float) -> None:
    out = steady(bar(told, close), bar(12_345.0), pl.DataFrame(SPLIT))
    assert out["volume"].to_list() == [kept]


def test_without_a_consolidation_every_difference_counts() -> None:
    splits = pl.DataFrame(SPLIT | {"value": [2.0]})
    assert steady(bar(12_346.0), bar(12_345.0), splits)["volume"].to_list() == [12_346.0]


@pytest.mark.integration
def test_a_reload_after_a_consolidation_adds_no_bar(store: Store, folder: Any) -> None:
    days = ("2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08")

    def load(fold: float, split: str) -> int:
        header = "symbol,session,open,high,low,close,volume,adjustment"
        rows = []
        for n, day in enumerate(days):
            price = f"{1.2345 * fold:.9g}"
            volume = round((12_341 + n) / fold)
            rows.append(f"AAA,{day},{price},{price},{price},{price},{volume},split")
        if split.endswith("0.1"):
            rows.append("AAA,2024-07-09,12.3,12.3,12.3,12.3,1230,split")
        (folder.path / "bars.csv").write_text("\n".join([header, *rows]) + "\n")
        (folder.path / "actions.csv").write_text(f"symbol,ex_date,kind,value\n{split}\n")
        (folder.path / "headlines.jsonl").write_text(json.dumps({}) + "\n")
        batch = Batch("files", "test", *SOURCES.get("files").extent(universe(), settings(), NOW))
        collect(batch, settings(), NOW)
        clean(store, batch)
        return append(store, batch)["bars"].added

    assert load(1.0, "AAA,2024-06-03,split,2") == 5  # all is known of its splits
    assert load(10.0, "AAA,2024-07-09,split,0.1") == 1
    assert store.versions(BARS, NOW, 99).num_rows == 6
