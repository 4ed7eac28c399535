"""Seconds and peak memory of each task of the DAG `backfill_market`, and the rows that it left.

    python benchmarks/backfill_stages.py
    FINPULSE_SOURCE=files FINPULSE_DATA=<folder> python benchmarks/backfill_stages.py

Starts the local stack of the settings where it does not run, and loads all that the source has.
Stop it with `make down`; a second run measures a load that finds everything there.
"""

import sys
import threading
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "infra" / "local"))

import psutil
from airflow_client import Airflow
from processes import marked, proportional
from stack import Stack, asked_settings
from up import Start

from contracts.store import Store
from contracts.tables import TABLES
from contracts.universe import universe
from etl.source import SOURCES

DAG = "backfill_market"


class TaskMemory(threading.Thread):
    """Samples the memory of tasks' processes; `peaks` has the bytes (PSS) by task."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self.home, self.over = home, threading.Event()
        self.peaks: dict[str, int] = defaultdict(int)

    def run(self) -> None:
        """Sample until `over` is set."""
        while not self.over.wait(2):
            now = Counter[str]()
            for process in marked(self.home):
                with suppress(psutil.Error, OSError):
                    name = process.environ().get("AIRFLOW_CTX_TASK_ID", "")
                    now[name] += proportional(process) if name else 0
            for name, size in now.items():
                self.peaks[name] = max(self.peaks[name], size)


def rows(store: Store) -> None:
    """Print the rows of every table that has some, and the refused ones by reason."""
    for name in TABLES:
        count = store.query(f"SELECT count(*) AS n FROM {name}")["n"][0].as_py()
        if count:
            print(f"| {name} | {count:,} |")
    reasons = "SELECT table_name, reason, count(*) AS n FROM rejected GROUP BY 1, 2 ORDER BY 3 DESC"
    refused = store.query(reasons).to_pylist()
    print("refused:", *(tuple(row.values()) for row in refused) if refused else ("none",))


def main() -> None:
    """Run the DAG once and print what it took."""
    stack = Stack.of(asked_settings())
    print(f"services healthy after {Start(stack).run():.1f} s")
    asked = stack.asked
    first, last = SOURCES.get(asked.source).extent(
        universe("", stack.settings), stack.settings, datetime.now(UTC)
    )
    conf = {"source": asked.source, "universe": asked.universe}
    memory = TaskMemory(stack.home)
    memory.start()
    began = datetime.now(UTC)
    ends = {"first": str(first), "last": str(last)}
    tasks = Airflow(stack.settings, print).run(DAG, f"bench-{uuid4().hex[:8]}", conf | ends)
    memory.over.set()
    print("| task | began at s | seconds | peak GiB |")
    for task in tasks:
        start = datetime.fromisoformat(task.row["start_date"]) - began
        peak = memory.peaks[task.row["task_id"]] / 2**30
        print(f"| {task.name} | {start.total_seconds():.0f} | {task.seconds:.0f} | {peak:.2f} |")
    print(f"in all {(datetime.now(UTC) - began).total_seconds():.0f} s, {first} to {last}")
    rows(Store(stack.facts))


if __name__ == "__main__":
    main()
