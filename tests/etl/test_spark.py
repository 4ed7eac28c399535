"""Spark judges as this process does, row for row and value for value."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.settings import settings
from etl.batch import Batch, manifest
from etl.clean import judged
from etl.load import collect
from etl.source import SOURCES
from etl.spark import spark_judge

pytestmark = pytest.mark.spark

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_spark_and_this_process_agree(folder: Any) -> None:
    folder.add("bars.csv", "AAA,2024-07-04,1,2,1,1,5", "BBB,2024-07-05,1,1,2,x,5")
    folder.add("bars.csv", "AAA,2024-07-01,10.0,12.0,9.0,10.0,900", ",2024-07-05,1,2,1,1,5")
    folder.add("headlines.jsonl", "{not json")
    folder.tell(id="a", text="other", published_at="2024-07-01T14:00:00Z", symbols=["BBB"])
    small = settings().model_copy(update={"sim_instruments": 5, "sim_sessions": 120})
    with spark_judge("local[2]", settings().objects) as judge:
        for source in ("simulated", "files"):
            batch = Batch(source, "test", *SOURCES.get(source).extent(small, NOW))
            collect(batch, small, NOW)
            held = manifest(batch)
            here = {name: (good, bad) for name, good, bad in judged(held)}
            there = {name: (good, bad) for name, good, bad in judged(held, judge)}
            assert here.keys() == there.keys()
            for name, tables in here.items():
                assert tables == there[name], name
    assert sum(bad.num_rows for _, bad in here.values()) == 6
