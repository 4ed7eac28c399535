"""Spark judges as this process does, row for row and value for value."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from descendants import names
from processes import MARK

from contracts.settings import settings
from contracts.store import Store
from contracts.universe import universe
from etl.batch.batch import Batch, manifest
from etl.load import collect
from etl.quality.clean import judged
from etl.quality.spark import spark_judge
from etl.source import SOURCES

pytestmark = pytest.mark.spark

UNITS = [("2024-07-01", 30), ("2024-07-02", 3000), ("2024-07-03", 31), ("2024-07-05", 0.3)]
UNITS += [("2024-07-08", 32)]
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_spark_and_this_process_agree(folder: Any) -> None:
    folder.add("bars.csv", "AAA,2024-07-04,1,2,1,1,5", "BBB,2024-07-05,1,1,2,x,5")
    folder.add("bars.csv", "AAA,2024-07-01,10.0,12.0,9.0,10.0,900", ",2024-07-05,1,2,1,1,5")
    folder.add("headlines.jsonl", "{not json")
    folder.tell(id="a", text="other", published_at="2024-07-01T14:00:00Z", symbols=["BBB"])
    folder.add(
        "bars.csv", *(f"CCC,{day},{price},{price},{price},{price},5" for day, price in UNITS)
    )
    paid = [f"BBB,2024-07-03,dividend,{value}" for value in (0.5, 0.25, 0.125)]
    folder.add("actions.csv", *paid, "AAA,2024-07-05,split,2", "BBB,2024-07-05,dividend,85")
    small = settings().model_copy(update={"sim_instruments": 5, "sim_sessions": 120})
    with spark_judge("local[2]", settings().objects, worth_rows=0) as judge:
        for source in ("simulated", "files"):
            batch = Batch(
                source, "test", *SOURCES.get(source).extent(universe("", small), small, NOW)
            )
            collect(batch, small, NOW)
            held = manifest(batch)
            here = {name: (good, bad) for name, good, bad in judged(held)}
            there = {name: (good, bad) for name, good, bad in judged(held, judge)}
            assert here.keys() == there.keys()
            for name, tables in here.items():
                assert tables == there[name], name
    # Six rows by themselves, five in units of which none has two in three, a split and a dividend
    # by the prices.
    assert sum(bad.num_rows for _, bad in here.values()) == 6 + 5 + 2
    assert 0.875 in here["actions"][0]["value"].to_pylist()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_cancelled_task_leaves_no_jvm(store: Store, end: signal.Signals) -> None:
    # As Airflow runs a task: bash in a session of its own, ended as a group.
    mark = uuid4().hex
    collect(
        Batch("simulated", "test", *SOURCES.get("simulated").extent(universe(), settings(), NOW)),
        settings(),
        NOW,
    )
    task = subprocess.Popen(
        ["bash", "-c", f"{sys.executable} -m etl clean --universe test"],
        env=os.environ | {MARK: mark},
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 180
    while "java" not in names(mark):
        assert task.poll() is None and time.monotonic() < deadline, "no JVM was started"
        time.sleep(0.2)
    os.killpg(task.pid, end)
    task.wait(60)
    while left := names(mark):
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.2)
